// Command app sends log records with OpenTelemetry's SDK, and writes what must arrive. Usage: app URL OUT
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	. "go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	otellog "go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
)

const (
	traceHex = "000102030405060708090a0b0c0d0e0f"
	spanHex  = "0001020304050607"
)

// 2026-01-31T12:00:00.123456789Z
var at = time.Unix(1769860800, 123456789)

// pair is a value, and the JSON text that must arrive.
type pair struct {
	value Value
	json  string
}

var texts = map[string]pair{
	"order":     {StringValue("o1"), `"o1"`},
	"empty":     {StringValue(""), `""`},
	`a "key" ä`: {StringValue("x\n\\ 😀"), `"x\n\\ 😀"`},
}

var numbers = map[string]pair{
	"seven":          {Int64Value(7), "7"},
	"and one":        {Int64Value(1<<53 + 1), "9007199254740993"},
	"greatest":       {Int64Value(math.MaxInt64), "9223372036854775807"},
	"least":          {Int64Value(math.MinInt64), "-9223372036854775808"},
	"one":            {Float64Value(1), "1.0"},
	"minus zero":     {Float64Value(math.Copysign(0, -1)), "-0.0"},
	"tenth":          {Float64Value(0.1), "0.1"},
	"large":          {Float64Value(1e21), "1e21"},
	"largest":        {Float64Value(math.MaxFloat64), "1.7976931348623157e308"},
	"smallest":       {Float64Value(math.SmallestNonzeroFloat64), "5e-324"},
	"nan":            {Float64Value(math.NaN()), `"NaN"`},
	"infinity":       {Float64Value(math.Inf(1)), `"Infinity"`},
	"minus infinity": {Float64Value(math.Inf(-1)), `"-Infinity"`},
}

var others = map[string]pair{
	"true":     {BoolValue(true), "true"},
	"false":    {BoolValue(false), "false"},
	"bytes":    {ByteSliceValue([]byte{0, 1, 255}), `"AAH/"`},
	"no bytes": {ByteSliceValue([]byte{}), `""`},
	"none":     {Value{}, "null"},
	"integers": {Int64SliceValue([]int64{math.MaxInt64, -1}), "[9223372036854775807,-1]"},
	"doubles":  {Float64SliceValue([]float64{1, math.NaN()}), `[1.0,"NaN"]`},
	"mixed": {
		SliceValue(StringValue("a"), BoolValue(false), Value{}, ByteSliceValue([]byte{251, 255}), SliceValue(IntValue(1))),
		`["a",false,null,"+/8=",[1]]`,
	},
	"nothing": {SliceValue(), "[]"},
	"map": {
		MapValue(KeyValue{Key: "a", Value: MapValue(KeyValue{Key: "b", Value: SliceValue(MapValue())})}, KeyValue{Key: "d"}),
		`{"a":{"b":[{}]},"d":null}`,
	},
}

var bodies = []pair{
	{MapValue(Int64("a", math.MaxInt64), Float64("b", 1.5)), `{"a":9223372036854775807,"b":1.5}`},
	{SliceValue(StringValue("a"), IntValue(1)), `["a",1]`},
	{ByteSliceValue([]byte{0, 1, 255}), `"AAH/"`},
	{IntValue(7), "7"},
	{Float64Value(1e21), "1e21"},
	{BoolValue(true), "true"},
	{StringValue(""), `""`},
}

// record is what must arrive.
type record struct {
	TimeNs         string            `json:"time_ns,omitempty"`
	ObservedNs     string            `json:"observed_ns"`
	SeverityNumber int               `json:"severity_number,omitempty"`
	SeverityText   string            `json:"severity_text,omitempty"`
	Body           string            `json:"body,omitempty"`
	EventName      string            `json:"event_name,omitempty"`
	TraceID        string            `json:"trace_id,omitempty"`
	SpanID         string            `json:"span_id,omitempty"`
	Attributes     map[string]string `json:"attributes"`
}

// sender sends as one service, and keeps what must arrive.
type sender struct {
	name, service string
	provider      *sdklog.LoggerProvider
	logger        otellog.Logger
	records       []record
}

func newSender(name, service string, res *resource.Resource, options ...otlploghttp.Option) *sender {
	exporter := must(otlploghttp.New(context.Background(), append(options, otlploghttp.WithEndpointURL(os.Args[1]))...))
	provider := sdklog.NewLoggerProvider(sdklog.WithResource(res), sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter)))
	logger := provider.Logger(name, otellog.WithInstrumentationVersion("1.2.3"))
	return &sender{name: name, service: service, provider: provider, logger: logger}
}

// send emits a record of which expected has all but body, attributes and observed time.
func (s *sender) send(ctx context.Context, body pair, attributes map[string]pair, expected record) {
	var r otellog.Record
	if expected.TimeNs != "" {
		r.SetTimestamp(time.Unix(0, must(strconv.ParseInt(expected.TimeNs, 10, 64))))
	}
	r.SetObservedTimestamp(at.Add(1))
	r.SetSeverity(otellog.Severity(expected.SeverityNumber))
	r.SetSeverityText(expected.SeverityText)
	r.SetEventName(expected.EventName)
	r.SetBody(body.value)
	expected.ObservedNs = nanoseconds(at.Add(1))
	expected.Body = body.json
	expected.Attributes = map[string]string{}
	for key, pair := range attributes {
		r.AddAttributes(KeyValue{Key: Key(key), Value: pair.value})
		expected.Attributes[key] = pair.json
	}
	s.logger.Emit(ctx, r)
	s.records = append(s.records, expected)
}

// end shuts the SDK down as programs do, which sends what is queued.
func (s *sender) end() {
	// A partial success is an error here, which reaches the error handler or this.
	failed(s.provider.Shutdown(context.Background()))
	text := must(json.Marshal(map[string]any{"service": s.service, "version": "1.2.3", "language": `"go"`, "records": s.records}))
	must(0, os.WriteFile(filepath.Join(os.Args[2], s.name+".expected.json"), text, 0o644))
}

func everything(name string, options ...otlploghttp.Option) {
	service := name + " ü"
	res := must(resource.Merge(resource.Default(), resource.NewSchemaless(String("service.name", service))))
	s := newSender(name, service, res, options...)
	background, now := context.Background(), nanoseconds(at)
	inSpan := trace.ContextWithSpanContext(background, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: must(trace.TraceIDFromHex(traceHex)), SpanID: must(trace.SpanIDFromHex(spanHex)), TraceFlags: trace.FlagsSampled,
	}))
	s.send(inSpan, pair{StringValue(`paid "7" €`), `"paid \"7\" €"`}, texts, record{
		TimeNs: now, SeverityNumber: 13, SeverityText: "WARN", EventName: "order.paid", TraceID: traceHex, SpanID: spanHex,
	})
	s.send(background, pair{StringValue("numbers"), `"numbers"`}, numbers, record{TimeNs: now})
	s.send(background, pair{StringValue("others"), `"others"`}, others, record{TimeNs: now})
	s.send(background, pair{StringValue("no time"), `"no time"`}, nil, record{})
	s.send(background, pair{}, nil, record{TimeNs: now})
	for _, body := range bodies {
		s.send(background, body, nil, record{TimeNs: now})
	}
	// Larger than a record may be: refused, which is an error of the export.
	var large otellog.Record
	large.SetBody(StringValue(strings.Repeat("x", 300_000)))
	s.logger.Emit(background, large)
	for number := range 1000 {
		severity := otellog.Severity(number%24 + 1)
		text := fmt.Sprintf("record %d", number)
		s.send(background, pair{StringValue(text), `"` + text + `"`}, map[string]pair{"n": {IntValue(number), strconv.Itoa(number)}}, record{
			TimeNs: nanoseconds(at.Add(time.Duration(number))), SeverityNumber: int(severity), SeverityText: severity.String(),
		})
	}
	errors = nil
	s.end()
	if len(errors) != 1 || !strings.Contains(errors[0], "1 logs rejected") {
		log.Fatalf("%s: not one record was refused: %q", name, errors)
	}
}

func unnamed(name string) {
	res := resource.Default()
	service, _ := res.Set().Value("service.name")
	s := newSender(name, service.AsString(), res)
	s.send(context.Background(), pair{StringValue("unnamed"), `"unnamed"`}, nil, record{TimeNs: nanoseconds(at)})
	s.end()
}

var (
	errors []string
	mutex  sync.Mutex
)

func failed(err error) {
	if err != nil {
		mutex.Lock()
		defer mutex.Unlock()
		errors = append(errors, err.Error())
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func nanoseconds(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

func main() {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(failed))
	everything("go-protobuf")
	everything("go-protobuf-gzip", otlploghttp.WithCompression(otlploghttp.GzipCompression))
	unnamed("go-unnamed")
}
