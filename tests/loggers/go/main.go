// Prints with real Go loggers and writes beside it the rows a correct reader makes of that.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	stdlog "log"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	apex "github.com/apex/log"
	apexjson "github.com/apex/log/handlers/json"
	charm "github.com/charmbracelet/log"
	"github.com/go-logfmt/logfmt"
	"github.com/hashicorp/go-hclog"
	phuslu "github.com/phuslu/log"
	"github.com/rs/zerolog"
	"github.com/sirupsen/logrus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"k8s.io/klog/v2"
)

const (
	multi   = "café \"x\" C:\\new\nsecond line"
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID  = "00f067aa0ba902b7"
	took    = 1500250 * time.Microsecond
	big     = uint64(math.MaxUint64)
	bigText = "18446744073709551615"
)

// failure has a message of its own and a cause.
type failure struct {
	text  string
	cause error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.cause }

var (
	errOuter   = error(&failure{"outer", errors.New("inner")})
	errWrapped = fmt.Errorf("outer: %w", errors.New("inner"))
	errLines   = errors.New("boom\nsecond")
	files      []*File
)

func file(name string, stamp func(string) (int64, string)) *File {
	f := &File{name: name, stamp: stamp}
	files = append(files, f)
	return f
}

func request(r Row) Row {
	return with(r, "status", 503, "trace_id", traceID, "span_id", spanID, "duration_ms", 12.5)
}

func slogs() {
	slogTo := func(name string, h func(*File) slog.Handler, js bool, re, lay, source string) {
		f := file(name, layout(re, lay, source))
		l := slog.New(h(f))
		ctx := context.Background()
		f.Rec(row("WARN", 13, "paid 7", "order", "o1", "n", "7"), func() { l.Warn("paid 7", "order", "o1", "n", 7) })
		f.Rec(row("INFO", 9, multi), func() { l.Info(multi) })
		f.Rec(row("ERROR", 17, "failed to pay"), func() { l.Error("failed to pay", "err", errOuter) })
		f.Rec(row("ERROR", 17, "failed to pay"), func() { l.Error("failed to pay", "error", errWrapped) })
		if js {
			f.Rec(with(row("INFO", 9, "took", "took", "1500250000"), "duration_ms", nil), func() { l.Info("took", "took", took) })
		} else {
			f.Rec(with(row("INFO", 9, "took"), "duration_ms", 1500.25), func() { l.Info("took", "took", took) })
		}
		f.Rec(row("DEBUG", 5, "level DEBUG"), func() { l.Debug("level DEBUG") })
		f.Rec(row("INFO+2", 0, "level INFO+2"), func() { l.Log(ctx, slog.LevelInfo+2, "level INFO+2") })
		f.Rec(row("ERROR+4", 0, "level ERROR+4"), func() { l.Log(ctx, slog.LevelError+4, "level ERROR+4") })
		f.Rec(row("DEBUG-4", 0, "level DEBUG-4"), func() { l.Log(ctx, slog.LevelDebug-4, "level DEBUG-4") })
		odd := row("INFO", 9, "odd values", "big", bigText, "yes", "true")
		if js {
			odd["attributes"].(map[string]any)["none"] = nil
		}
		f.Rec(odd, func() { l.Info("odd values", "none", nil, "big", big, "nan", math.NaN(), "yes", true) })
		if js {
			f.Rec(row("INFO", 9, "nested", "g", `{"a":1,"b":"x y"}`), func() { l.WithGroup("g").Info("nested", "a", 1, "b", "x y") })
		} else {
			f.Rec(row("INFO", 9, "nested", "g.a", "1", "g.b", "x y"), func() { l.WithGroup("g").Info("nested", "a", 1, "b", "x y") })
		}
		f.Rec(row("INFO", 9, "no value"), func() { l.Info("no value", "order") })
		f.Rec(request(row("INFO", 9, "GET /x")), func() {
			l.Info("GET /x", "status", 503, "trace_id", traceID, "span_id", spanID, "durationMs", 12.5)
		})
		own := row("WARN", 13, "own names")
		if !js {
			own["attributes"] = attr("level.2", "mine", "time.2", "2001-02-03T04:05:06Z", "msg.2", "mine")
		}
		f.Rec(own, func() { l.Warn("own names", "level", "mine", "time", "2001-02-03T04:05:06Z", "msg", "mine") })
		if js {
			f.Rec(row("INFO", 9, "child", "order", "event"), func() { l.With("order", "child").Info("child", "order", "event") })
		}
		f.Rec(row("INFO", 9, "", "empty", ""), func() { l.Info("", "empty", "") })
		f.Rec(row("INFO", 9, `a=1 b="2"`, "path", `C:\new\temp`), func() { l.Info(`a=1 b="2"`, "path", `C:\new\temp`) })
	}
	all := &slog.HandlerOptions{Level: slog.LevelDebug - 4}
	slogTo("slog-json", func(f *File) slog.Handler { return slog.NewJSONHandler(f, all) }, true, `"time":"([^"]+)"`, time.RFC3339Nano, "record")
	slogTo("slog-text", func(f *File) slog.Handler { return slog.NewTextHandler(f, all) }, false, `^time=(\S+)`, time.RFC3339Nano, "record")

	f := file("slog-json-source", layout(`"time":"([^"]+)"`, time.RFC3339Nano, "record"))
	l := slog.New(slog.NewJSONHandler(f, &slog.HandlerOptions{AddSource: true}))
	f.Rec(row("WARN", 13, "paid 7", "order", "o1", "n", "7"), func() { l.Warn("paid 7", "order", "o1", "n", 7) })

	// slog's default handler prints through the log package.
	f = file("slog-default", layout(`^(\S+ \S+)`, "2006/01/02 15:04:05", "inferred"))
	stdlog.SetOutput(f)
	f.Rec(row("WARN", 13, "-"), func() { slog.Warn("paid 7", "order", "o1", "n", 7) })
	f.Rec(row("INFO", 9, multi), func() { slog.Info(multi) })
	f.Rec(row("ERROR", 17, "-"), func() { slog.Error("failed to pay", "err", errOuter) })
	f.Rec(row("INFO", 9, "-"), func() { slog.Info("took", "took", took) })
	f.Rec(row("WARN", 13, "plain"), func() { slog.Warn("plain") })
	stdlog.SetOutput(os.Stderr)
}

func zaps() {
	panics := func(f func()) func() {
		return func() {
			defer func() { _ = recover() }()
			f()
		}
	}
	f := file("zap-production", unixFloat(`"ts":([0-9.]+)`))
	cfg := zap.NewProductionConfig()
	cfg.Level.SetLevel(zap.DebugLevel)
	cfg.Sampling = nil
	core := func(e zapcore.Encoder) zapcore.Core { return zapcore.NewCore(e, zapcore.AddSync(f), zap.DebugLevel) }
	l := zap.New(core(zapcore.NewJSONEncoder(cfg.EncoderConfig)), zap.AddCaller(), zap.AddStacktrace(zap.ErrorLevel), zap.WithFatalHook(zapcore.WriteThenPanic))
	st := stackKey("stacktrace")
	f.Rec(row("warn", 13, "paid 7", "order", "o1", "n", "7"), func() { l.Warn("paid 7", zap.String("order", "o1"), zap.Int("n", 7)) })
	f.Rec(row("info", 9, multi), func() { l.Info(multi) })
	f.Rec(row("error", 17, "failed to pay"), func() { l.Error("failed to pay", zap.Error(errOuter)) }, st)
	f.Rec(row("error", 17, "failed to pay"), func() { l.Error("failed to pay", zap.Error(errWrapped)) }, st)
	f.Rec(row("error", 17, "failed to pay"), func() { l.Error("failed to pay", zap.Error(errors.Join(errOuter, errLines))) }, st)
	f.Rec(with(row("info", 9, "took", "took", "1.50025"), "duration_ms", nil), func() { l.Info("took", zap.Duration("took", took)) })
	f.Rec(row("debug", 5, "level debug"), func() { l.Debug("level debug") })
	f.Rec(row("dpanic", 0, "level dpanic"), func() { l.DPanic("level dpanic") }, st)
	f.Rec(row("panic", 21, "level panic"), panics(func() { l.Panic("level panic") }), st)
	f.Rec(row("fatal", 21, "level fatal"), panics(func() { l.Fatal("level fatal") }), st)
	f.Rec(row("info", 9, "odd values", "none", nil, "big", bigText, "nan", "NaN", "inf", "+Inf", "yes", "true"), func() {
		l.Info("odd values", zap.Reflect("none", nil), zap.Uint64("big", big), zap.Float64("nan", math.NaN()), zap.Float64("inf", math.Inf(1)), zap.Bool("yes", true))
	})
	f.Rec(row("info", 9, "nested", "g", `{"a":1}`), func() { l.Info("nested", zap.Namespace("g"), zap.Int("a", 1)) })
	f.Rec(request(row("info", 9, "GET /x")), func() {
		l.Info("GET /x", zap.Int("status", 503), zap.String("trace_id", traceID), zap.String("span_id", spanID), zap.Float64("durationMs", 12.5))
	})
	f.Rec(row("warn", 13, "own names"), func() { l.Warn("own names", zap.String("level", "mine"), zap.Int("ts", 1), zap.String("msg", "mine")) })
	f.Rec(row("info", 9, "child", "order", "event"), func() { l.With(zap.String("order", "child")).Info("child", zap.String("order", "event")) })
	f.Rec(row("info", 9, "named"), func() { l.Named("app.pay").Info("named") })

	f = file("zap-development", layout(`^(\S+)`, "2006-01-02T15:04:05.000Z0700", "record"))
	dev := zap.NewDevelopmentConfig()
	l = zap.New(core(zapcore.NewConsoleEncoder(dev.EncoderConfig)), zap.AddCaller(), zap.AddStacktrace(zap.WarnLevel), zap.WithFatalHook(zapcore.WriteThenPanic))
	f.Rec(row("WARN", 13, "paid 7", "order", "o1", "n", "7"), func() { l.Warn("paid 7", zap.String("order", "o1"), zap.Int("n", 7)) }, stackBelow)
	f.Rec(row("INFO", 9, multi), func() { l.Info(multi) })
	f.Rec(row("ERROR", 17, "failed to pay"), func() { l.Error("failed to pay", zap.Error(errOuter)) }, stackBelow)
	f.Rec(row("INFO", 9, "took"), func() { l.Info("took", zap.Duration("took", took)) })
	f.Rec(row("DEBUG", 5, "level DEBUG"), func() { l.Debug("level DEBUG") })
	f.Rec(row("PANIC", 21, "level PANIC"), panics(func() { l.Panic("level PANIC") }), stackBelow)
	f.Rec(row("FATAL", 21, "level FATAL"), panics(func() { l.Fatal("level FATAL") }), stackBelow)
	f.Rec(row("INFO", 9, "GET /x"), func() { l.Info("GET /x", zap.Int("status", 503), zap.String("trace_id", traceID)) })
	f.Rec(row("INFO", 9, "named"), func() { l.Named("app.pay").Info("named") })
}

func zerologs() {
	zerolog.SetGlobalLevel(zerolog.TraceLevel)
	f := file("zerolog-json", layoutLast(`"time":"([^"]+)"`, time.RFC3339, "record"))
	l := zerolog.New(f).With().Timestamp().Logger()
	f.Rec(row("warn", 13, "paid 7", "order", "o1", "n", "7"), func() { l.Warn().Str("order", "o1").Int("n", 7).Msg("paid 7") })
	f.Rec(row("info", 9, multi), func() { l.Info().Msg(multi) })
	f.Rec(row("error", 17, "failed to pay"), func() { l.Error().Err(errOuter).Msg("failed to pay") })
	f.Rec(with(row("info", 9, "took", "took", "1500.25"), "duration_ms", nil), func() { l.Info().Dur("took", took).Msg("took") })
	f.Rec(with(row("info", 9, "took", "took", "1500250000"), "duration_ms", nil), func() { l.Info().Interface("took", took).Msg("took") })
	f.Rec(row("trace", 1, "level trace"), func() { l.Trace().Msg("level trace") })
	f.Rec(row("debug", 5, "level debug"), func() { l.Debug().Msg("level debug") })
	f.Rec(row("fatal", 21, "level fatal"), func() { l.WithLevel(zerolog.FatalLevel).Msg("level fatal") })
	f.Rec(row("panic", 21, "level panic"), func() { l.WithLevel(zerolog.PanicLevel).Msg("level panic") })
	f.Rec(row("", 0, "no level"), func() { l.Log().Msg("no level") })
	f.Rec(row("info", 9, "odd values", "none", nil, "big", bigText, "nan", "NaN", "yes", "true"), func() {
		l.Info().Interface("none", nil).Uint64("big", big).Float64("nan", math.NaN()).Bool("yes", true).Msg("odd values")
	})
	f.Rec(row("info", 9, "nested", "g", `{"a":1}`), func() { l.Info().Dict("g", zerolog.Dict().Int("a", 1)).Msg("nested") })
	f.Rec(request(row("info", 9, "GET /x")), func() {
		l.Info().Int("status", 503).Str("trace_id", traceID).Str("span_id", spanID).Float64("durationMs", 12.5).Msg("GET /x")
	})
	f.Rec(row("warn", 13, "own names"), func() {
		l.Warn().Str("level", "mine").Str("time", "2001-02-03T04:05:06Z").Str("message", "mine").Msg("own names")
	})
	f.Rec(row("info", 9, "child", "order", "event"), func() {
		c := l.With().Str("order", "child").Logger()
		c.Info().Str("order", "event").Msg("child")
	})
	f.Rec(Row{"severity_number": 9, "severity_text": "info", "attributes": attr("order", "o1")}, func() { l.Info().Str("order", "o1").Send() })

	f = file("zerolog-no-time", nil)
	l = zerolog.New(f)
	f.Rec(row("warn", 13, "paid 7", "order", "o1", "n", "7"), func() { l.Warn().Str("order", "o1").Int("n", 7).Msg("paid 7") })

	console := func(name, lay string, stamp func(string) (int64, string), r0 Row) {
		f := file(name, stamp)
		l := zerolog.New(zerolog.ConsoleWriter{Out: f, NoColor: true, TimeFormat: lay}).With().Timestamp().Logger()
		rec := func(r Row, call func()) {
			for k, v := range r0 {
				r[k] = v
			}
			f.Rec(r, call)
		}
		rec(row("WRN", 13, "-"), func() { l.Warn().Str("order", "o1").Int("n", 7).Msg("paid 7") })
		rec(row("INF", 9, multi), func() { l.Info().Msg(multi) })
		rec(row("ERR", 17, "-"), func() { l.Error().Err(errOuter).Msg("failed to pay") })
		rec(row("ERR", 17, "-"), func() { l.Error().Err(errLines).Str("order", "o 1").Msg("failed to pay") })
		rec(row("INF", 9, "-"), func() { l.Info().Dur("took", took).Msg("took") })
		rec(row("TRC", 1, "level TRC"), func() { l.Trace().Msg("level TRC") })
		rec(row("DBG", 5, "level DBG"), func() { l.Debug().Msg("level DBG") })
		rec(row("FTL", 21, "level FTL"), func() { l.WithLevel(zerolog.FatalLevel).Msg("level FTL") })
		rec(row("PNC", 21, "level PNC"), func() { l.WithLevel(zerolog.PanicLevel).Msg("level PNC") })
		rec(row("INF", 9, "-"), func() { l.Info().Str("file", "x").Str("order", "o1").Send() })
	}
	console("zerolog-console-rfc3339", time.RFC3339, layout(`^(\S+)`, time.RFC3339, "record"), nil)
	// The default stamp is the time of day only.
	console("zerolog-console", "", nil, Row{"time_source": "inferred"})
}

func logruses() {
	f := file("logrus-json", layout(`"time":"([^"]+)"`, time.RFC3339, "record"))
	l := logrus.New()
	l.SetOutput(f)
	l.SetLevel(logrus.TraceLevel)
	l.ExitFunc = func(int) {}
	l.SetFormatter(&logrus.JSONFormatter{})
	panics := func() {
		defer func() { _ = recover() }()
		l.Panic("level panic")
	}
	f.Rec(row("warning", 13, "paid 7", "order", "o1", "n", "7"), func() { l.WithFields(logrus.Fields{"order": "o1", "n": 7}).Warn("paid 7") })
	f.Rec(row("info", 9, multi), func() { l.Info(multi) })
	f.Rec(row("error", 17, "failed to pay"), func() { l.WithError(errOuter).Error("failed to pay") })
	f.Rec(with(row("info", 9, "took", "took", "1500250000"), "duration_ms", nil), func() { l.WithField("took", took).Info("took") })
	f.Rec(row("trace", 1, "level trace"), func() { l.Trace("level trace") })
	f.Rec(row("debug", 5, "level debug"), func() { l.Debug("level debug") })
	f.Rec(row("fatal", 21, "level fatal"), func() { l.Fatal("level fatal") })
	f.Rec(row("panic", 21, "level panic"), panics)
	f.Rec(row("info", 9, "odd values", "none", nil, "big", bigText), func() { l.WithFields(logrus.Fields{"none": nil, "big": big}).Info("odd values") })
	f.Rec(row("info", 9, "nan"), func() { l.WithField("nan", math.NaN()).Info("nan") })
	f.Rec(request(row("info", 9, "GET /x")), func() {
		l.WithFields(logrus.Fields{"status": 503, "trace_id": traceID, "span_id": spanID, "durationMs": 12.5}).Info("GET /x")
	})
	f.Rec(row("warning", 13, "own names", "fields.level", "mine", "fields.msg", "mine", "fields.time", "1"), func() {
		l.WithFields(logrus.Fields{"level": "mine", "msg": "mine", "time": 1}).Warn("own names")
	})

	f = file("logrus-text", layout(`^time="([^"]+)"`, time.RFC3339, "record"))
	l.SetOutput(f)
	l.SetFormatter(&logrus.TextFormatter{})
	f.Rec(row("warning", 13, "paid 7", "order", "o1", "n", "7"), func() { l.WithFields(logrus.Fields{"order": "o1", "n": 7}).Warn("paid 7") })
	f.Rec(row("info", 9, multi), func() { l.Info(multi) })
	f.Rec(row("error", 17, "failed to pay"), func() { l.WithError(errOuter).Error("failed to pay") })
	f.Rec(with(row("info", 9, "took"), "duration_ms", 1500.25), func() { l.WithField("took", took).Info("took") })
	f.Rec(row("trace", 1, "level trace"), func() { l.Trace("level trace") })
	f.Rec(row("debug", 5, "level debug"), func() { l.Debug("level debug") })
	f.Rec(row("fatal", 21, "level fatal"), func() { l.Fatal("level fatal") })
	f.Rec(row("panic", 21, "level panic"), panics)
	f.Rec(row("info", 9, "odd values", "big", bigText, "empty", "", "path", `C:\new\temp`), func() {
		l.WithFields(logrus.Fields{"none": nil, "big": big, "nan": math.NaN(), "empty": "", "path": `C:\new\temp`}).Info("odd values")
	})
	f.Rec(request(row("info", 9, "GET /x")), func() {
		l.WithFields(logrus.Fields{"status": 503, "trace_id": traceID, "span_id": spanID, "durationMs": 12.5}).Info("GET /x")
	})

	f = file("logrus-text-colour", nil)
	l.SetOutput(f)
	l.SetFormatter(&logrus.TextFormatter{ForceColors: true})
	f.Rec(with(row("WARN", 13, "-"), "time_source", "observed"), func() { l.WithFields(logrus.Fields{"order": "o1", "n": 7}).Warn("paid 7") })
	f.Rec(with(row("INFO", 9, "-"), "time_source", "observed"), func() { l.Info("plain") })
	l.SetFormatter(&logrus.TextFormatter{ForceColors: true, FullTimestamp: true})
	f.stamp = layout(`\[([^\]m]+)\] `, time.RFC3339, "record")
	f.Rec(row("WARN", 13, "-"), func() { l.WithFields(logrus.Fields{"order": "o1", "n": 7}).Warn("paid 7") })
	f.Rec(row("ERRO", 17, "-"), func() { l.WithError(errOuter).Error("failed to pay") })
	f.Rec(row("INFO", 9, "-"), func() { l.Info("plain") })
}

func hclogs() {
	f := file("hclog-json", layout(`"@timestamp":"([^"]+)"`, time.RFC3339Nano, "record"))
	l := hclog.New(&hclog.LoggerOptions{Name: "app", Output: f, Level: hclog.Trace, JSONFormat: true})
	f.Rec(row("warn", 13, "paid 7", "order", "o1", "n", "7"), func() { l.Warn("paid 7", "order", "o1", "n", 7) })
	f.Rec(row("info", 9, multi), func() { l.Info(multi) })
	f.Rec(row("error", 17, "failed to pay"), func() { l.Error("failed to pay", "error", errOuter) })
	f.Rec(with(row("info", 9, "took", "took", "1500250000"), "duration_ms", nil), func() { l.Info("took", "took", took) })
	f.Rec(row("trace", 1, "level trace"), func() { l.Trace("level trace") })
	f.Rec(row("debug", 5, "level debug"), func() { l.Debug("level debug") })
	f.Rec(row("info", 9, "odd values", "none", nil, "big", bigText), func() { l.Info("odd values", "none", nil, "big", big) })
	f.Rec(row("info", 9, "nan"), func() { l.Info("nan", "nan", math.NaN()) })
	f.Rec(row("info", 9, "no value"), func() { l.Info("no value", "order", "o1", "left") })
	f.Rec(request(row("info", 9, "GET /x")), func() {
		l.Info("GET /x", "status", 503, "trace_id", traceID, "span_id", spanID, "durationMs", 12.5)
	})

	f = file("hclog-text", layout(`^(\S+)`, "2006-01-02T15:04:05.000Z0700", "record"))
	l = hclog.New(&hclog.LoggerOptions{Name: "app", Output: f, Level: hclog.Trace})
	f.Rec(row("WARN", 13, "-"), func() { l.Warn("paid 7", "order", "o1", "n", 7) })
	f.Rec(row("INFO", 9, "-"), func() { l.Info(multi) })
	f.Rec(row("ERROR", 17, "-"), func() { l.Error("failed to pay", "error", errOuter) })
	f.Rec(row("ERROR", 17, "-"), func() { l.Error("failed to pay", "error", errLines, "order", "o 1") })
	f.Rec(row("INFO", 9, "-"), func() { l.Info("took", "took", took) })
	f.Rec(row("TRACE", 1, "-"), func() { l.Trace("level TRACE") })
	f.Rec(row("DEBUG", 5, "-"), func() { l.Debug("level DEBUG") })
	f.Rec(row("ERROR", 17, "-"), func() { l.Error("failed to pay", "stack", hclog.Stacktrace()) })
	l = hclog.New(&hclog.LoggerOptions{Output: f})
	f.Rec(row("INFO", 9, "no name"), func() { l.Info("no name") })
}

func phuslus() {
	f := file("phuslu", layout(`"time":"([^"]+)"`, time.RFC3339Nano, "record"))
	l := &phuslu.Logger{Level: phuslu.TraceLevel, Writer: &phuslu.IOWriter{Writer: f}}
	f.Rec(row("warn", 13, "paid 7", "order", "o1", "n", "7"), func() { l.Warn().Str("order", "o1").Int("n", 7).Msg("paid 7") })
	f.Rec(row("info", 9, multi), func() { l.Info().Msg(multi) })
	f.Rec(row("error", 17, "failed to pay"), func() { l.Error().Err(errOuter).Msg("failed to pay") })
	f.Rec(row("error", 17, "failed to pay"), func() { l.Error().Stack().Err(errOuter).Msg("failed to pay") }, stackKey("stack"))
	f.Rec(with(row("info", 9, "took", "took", "1500.250000"), "duration_ms", nil), func() { l.Info().Dur("took", took).Msg("took") })
	f.Rec(row("trace", 1, "level trace"), func() { l.Trace().Msg("level trace") })
	f.Rec(row("debug", 5, "level debug"), func() { l.Debug().Msg("level debug") })
	f.Rec(row("fatal", 21, "level fatal"), func() { f.buf.Write(child("phuslu")) })
	f.Rec(row("panic", 21, "level panic"), func() {
		defer func() { _ = recover() }()
		l.Panic().Msg("level panic")
	})
	f.Rec(row("", 0, "no level"), func() { l.Log().Msg("no level") })
	f.Rec(row("info", 9, "odd values", "none", nil, "big", bigText), func() { l.Info().Any("none", nil).Uint64("big", big).Msg("odd values") })
	f.Rec(row("info", 9, "nan"), func() { l.Info().Float64("nan", math.NaN()).Msg("nan") })
	f.Rec(request(row("info", 9, "GET /x")), func() {
		l.Info().Int("status", 503).Str("trace_id", traceID).Str("span_id", spanID).Float64("durationMs", 12.5).Msg("GET /x")
	})
	f.Rec(row("warn", 13, "own names"), func() {
		l.Warn().Str("level", "mine").Str("time", "2001-02-03T04:05:06Z").Str("message", "mine").Msg("own names")
	})
	f.Rec(row("info", 9, "child", "order", "event"), func() {
		c := phuslu.Logger{Level: phuslu.TraceLevel, Writer: l.Writer, Context: phuslu.NewContext(nil).Str("order", "child").Value()}
		c.Info().Str("order", "event").Msg("child")
	})
}

func charms() {
	day := "2006/01/02 15:04:05"
	for _, c := range []struct {
		name, re string
		fm       charm.Formatter
	}{{"charm-json", `"time":"([^"]+)"`, charm.JSONFormatter}, {"charm-logfmt", `^time="([^"]+)"`, charm.LogfmtFormatter}} {
		js := c.fm == charm.JSONFormatter
		f := file(c.name, layout(c.re, day, "inferred"))
		l := charm.NewWithOptions(f, charm.Options{ReportTimestamp: true, Level: charm.DebugLevel, Formatter: c.fm})
		f.Rec(row("warn", 13, "paid 7", "order", "o1", "n", "7"), func() { l.Warn("paid 7", "order", "o1", "n", 7) })
		f.Rec(row("info", 9, multi), func() { l.Info(multi) })
		f.Rec(row("error", 17, "failed to pay"), func() { l.Error("failed to pay", "err", errOuter) })
		f.Rec(with(row("info", 9, "took"), "duration_ms", 1500.25), func() { l.Info("took", "took", took) })
		f.Rec(row("debug", 5, "level debug"), func() { l.Debug("level debug") })
		f.Rec(row("fatal", 21, "level fatal"), func() { l.Log(charm.FatalLevel, "level fatal") })
		odd := row("info", 9, "odd values", "big", bigText)
		if js {
			odd["attributes"].(map[string]any)["none"] = nil
		}
		f.Rec(odd, func() { l.Info("odd values", "none", nil, "big", big) })
		f.Rec(row("info", 9, "nan"), func() { l.Info("nan", "nan", math.NaN()) })
		f.Rec(request(row("info", 9, "GET /x")), func() {
			l.Info("GET /x", "status", 503, "trace_id", traceID, "span_id", spanID, "durationMs", 12.5)
		})
		f.Rec(row("info", 9, "prefix"), func() { l.WithPrefix("app").Info("prefix") })
		f.Rec(row("", 0, "printed"), func() { l.Print("printed") })
	}
	f := file("charm-text", layout(`^(\S+ \S+)`, day, "inferred"))
	l := charm.NewWithOptions(f, charm.Options{ReportTimestamp: true, Level: charm.DebugLevel})
	f.Rec(row("WARN", 13, "-"), func() { l.Warn("paid 7", "order", "o1", "n", 7) })
	f.Rec(row("INFO", 9, multi), func() { l.Info(multi) })
	f.Rec(row("ERRO", 17, "-"), func() { l.Error("failed to pay", "err", errOuter) })
	f.Rec(row("ERRO", 17, "-"), func() { l.Error("failed to pay", "err", errLines, "order", "o 1") })
	f.Rec(row("INFO", 9, "-"), func() { l.Info("took", "took", took) })
	f.Rec(row("DEBU", 5, "level DEBU"), func() { l.Debug("level DEBU") })
	f.Rec(row("FATA", 21, "level FATA"), func() { l.Log(charm.FatalLevel, "level FATA") })
	f.Rec(row("INFO", 9, "-"), func() { l.WithPrefix("app").Info("prefix") })
	f.Rec(row("", 0, "printed"), func() { l.Print("printed") })
}

func apexes() {
	f := file("apex-json", layout(`"timestamp":"([^"]+)"`, time.RFC3339Nano, "record"))
	l := &apex.Logger{Handler: apexjson.New(f), Level: apex.DebugLevel}
	f.Rec(row("warn", 13, "paid 7", "order", "o1", "n", "7"), func() { l.WithFields(apex.Fields{"order": "o1", "n": 7}).Warn("paid 7") })
	f.Rec(row("info", 9, multi), func() { l.Info(multi) })
	f.Rec(row("error", 17, "failed to pay"), func() { l.WithError(errOuter).Error("failed to pay") })
	f.Rec(with(row("info", 9, "took", "took", "1500250000"), "duration_ms", nil), func() { l.WithField("took", took).Info("took") })
	f.Rec(with(row("info", 9, "took", "duration", "1500"), "duration_ms", nil), func() { l.WithDuration(took).Info("took") })
	f.Rec(row("debug", 5, "level debug"), func() { l.Debug("level debug") })
	f.Rec(row("fatal", 21, "level fatal"), func() {
		must(l.Handler.HandleLog(&apex.Entry{Logger: l, Level: apex.FatalLevel, Message: "level fatal", Timestamp: time.Now(), Fields: apex.Fields{}}))
	})
	f.Rec(row("info", 9, "odd values", "none", nil, "big", bigText), func() { l.WithFields(apex.Fields{"none": nil, "big": big}).Info("odd values") })
	f.Rec(row("info", 9, "nan"), func() { l.WithField("nan", math.NaN()).Info("nan") })
	f.Rec(request(row("info", 9, "GET /x")), func() {
		l.WithFields(apex.Fields{"status": 503, "trace_id": traceID, "span_id": spanID, "durationMs": 12.5}).Info("GET /x")
	})
	f.Rec(row("info", 9, "nested", "g", `{"a":1}`), func() { l.WithField("g", map[string]int{"a": 1}).Info("nested") })
}

func klogs() {
	f := file("klog", layout(`^[IWEF](\d{4} \S+)`, "0102 15:04:05.000000", "inferred"))
	fs := flag.NewFlagSet("klog", flag.PanicOnError)
	klog.InitFlags(fs)
	must(fs.Parse([]string{"-v=4"}))
	// klog prints to the standard error stream: lend it a file.
	tmp, err := os.CreateTemp("", "klog")
	must(err)
	defer os.Remove(tmp.Name())
	stderr := os.Stderr
	defer func() { os.Stderr = stderr }()
	os.Stderr = tmp
	var read int64
	rec := func(r Row, call func()) {
		f.Rec(r, func() {
			call()
			klog.Flush()
			b, err := os.ReadFile(tmp.Name())
			must(err)
			f.buf.Write(b[read:])
			read = int64(len(b))
		})
	}
	rec(row("W", 13, "paid 7"), func() { klog.Warning("paid 7") })
	rec(row("I", 9, "paid 7", "order", "o1", "n", "7"), func() { klog.InfoS("paid 7", "order", "o1", "n", 7) })
	rec(row("I", 9, multi), func() { klog.Info(multi) })
	rec(row("I", 9, multi), func() { klog.InfoS(multi) })
	rec(row("E", 17, "failed to pay"), func() { klog.ErrorS(errOuter, "failed to pay", "order", "o1") })
	rec(row("E", 17, "failed to pay", "order", "o 1", "n", "3"), func() { klog.ErrorS(errLines, "failed to pay", "order", "o 1", "n", 3) })
	rec(row("I", 9, "multi", "text", "a\n\tb\n\nc", "order", "o1"), func() { klog.InfoS("multi", "text", "a\n\tb\n\nc", "order", "o1") })
	rec(row("I", 9, "two", "one", "a\nb", "two", "c\nd"), func() { klog.InfoS("two", "one", "a\nb", "two", "c\nd") })
	rec(with(row("I", 9, "took"), "duration_ms", 1500.25), func() { klog.InfoS("took", "took", took) })
	rec(row("I", 9, "verbose"), func() { klog.V(4).InfoS("verbose") })
	rec(row("I", 9, "odd values", "big", bigText, "ref", "ns/pod", "yes", "true"), func() {
		klog.InfoS("odd values", "none", nil, "big", big, "nan", math.NaN(), "ref", klog.KRef("ns", "pod"), "yes", true)
	})
	rec(row("I", 9, "nested", "g", `{"a":1}`), func() { klog.InfoS("nested", "g", map[string]int{"a": 1}) })
	rec(row("I", 9, "no value"), func() { klog.InfoS("no value", "order") })
	rec(row("E", 17, "failed: boom"), func() { klog.Errorf("failed: %v", "boom") })
	rec(with(row("I", 9, "GET /x"), "status", 503, "trace_id", traceID, "span_id", spanID, "duration_ms", 12.5), func() {
		klog.InfoS("GET /x", "status", 503, "trace_id", traceID, "span_id", spanID, "durationMs", 12.5)
	})
	klog.OsExit = func(int) {}
	rec(row("F", 21, "-"), func() { klog.Fatal("level F") })
}

func stdlogs() {
	f := file("log-std", layout(`^(\S+ \S+)`, "2006/01/02 15:04:05", "inferred"))
	l := stdlog.New(f, "", stdlog.LstdFlags)
	f.Rec(row("", 0, "paid 7"), func() { l.Print("paid 7") })
	f.Rec(row("", 0, multi), func() { l.Print(multi) })
	f.Rec(row("", 0, "failed to pay: outer"), func() { l.Printf("failed to pay: %v", errOuter) })
	f.Rec(row("", 0, "took 1.50025s"), func() { l.Printf("took %v", took) })
	f = file("log-micro-shortfile", layout(`^(\S+ \S+?):? `, "2006/01/02 15:04:05.000000", "inferred"))
	l = stdlog.New(f, "", stdlog.LstdFlags|stdlog.Lmicroseconds|stdlog.Lshortfile)
	f.Rec(row("", 0, "-"), func() { l.Print("paid 7") })
	f.Rec(row("", 0, "-"), func() { l.Print(multi) })
	l.SetFlags(stdlog.LstdFlags | stdlog.Lmicroseconds)
	f.Rec(row("", 0, "paid 7"), func() { l.Print("paid 7") })
}

func logfmts() {
	f := file("go-logfmt", layout(`^ts=(\S+)`, time.RFC3339Nano, "record"))
	enc := logfmt.NewEncoder(f)
	rec := func(r Row, kv ...any) {
		f.Rec(r, func() {
			must(enc.EncodeKeyvals(append([]any{"ts", time.Now()}, kv...)...))
			must(enc.EndRecord())
		})
	}
	rec(row("warn", 13, "paid 7", "order", "o1", "n", "7"), "level", "warn", "msg", "paid 7", "order", "o1", "n", 7)
	rec(row("info", 9, multi), "level", "info", "msg", multi)
	rec(row("error", 17, "failed to pay"), "level", "error", "msg", "failed to pay", "err", errOuter)
	rec(with(row("info", 9, "took"), "duration_ms", 1500.25), "level", "info", "msg", "took", "took", took)
	rec(row("info", 9, "odd values", "big", bigText, "empty", "", "path", `C:\new\temp`, "yes", "true"), "level", "info", "msg", "odd values", "none", nil, "big", big, "nan", math.NaN(), "empty", "", "path", `C:\new\temp`, "yes", true)
	rec(request(row("info", 9, "GET /x")), "level", "info", "msg", "GET /x", "status", 503, "trace_id", traceID, "span_id", spanID, "durationMs", 12.5)
	rec(row("warn", 13, "own names", "level.2", "mine", "msg.2", "mine"), "level", "warn", "msg", "own names", "level", "mine", "msg", "mine")
	rec(row("info", 9, "json", "g", `{"a":1}`), "level", "info", "msg", "json", "g", `{"a":1}`)
}

// crash is run in a process of its own: the runtime prints, not a library.
func crash(kind string) {
	if kind == "phuslu" {
		l := &phuslu.Logger{Level: phuslu.TraceLevel, Writer: &phuslu.IOWriter{Writer: os.Stderr}}
		l.Fatal().Msg("level fatal")
	}
	stdlog.Print("starting")
	switch kind {
	case "text":
		panic("boom")
	case "error":
		panic(errWrapped)
	case "index":
		var a []int
		_ = a[len(os.Args)]
	case "nil":
		var p *failure
		_ = p.text
	case "again":
		defer func() { r := recover(); panic(fmt.Sprint("again: ", r)) }()
		panic("first")
	case "lines":
		panic("boom\nsecond line")
	case "routine":
		go func() { panic("in a goroutine") }()
		select {}
	case "mutex":
		new(sync.Mutex).Unlock()
	case "fatal":
		stdlog.Fatal("failed to start")
	case "logpanic":
		stdlog.Panic("failed to start")
	}
}

// child runs crash in a process of its own and hands back its error stream.
func child(kind string) []byte {
	exe, err := os.Executable()
	must(err)
	cmd := exec.Command(exe, "crash", kind)
	var b bytes.Buffer
	cmd.Stderr = &b
	_ = cmd.Run()
	return b.Bytes()
}

func crashes() {
	f := file("panic", layout(`^(\S+ \S+)`, "2006/01/02 15:04:05", "inferred"))
	for _, kind := range []string{"text", "error", "index", "nil", "again", "lines", "routine", "mutex", "fatal", "logpanic"} {
		b := child(kind)
		f.buf.Write(b)
		first, rest, _ := strings.Cut(string(b), "\n")
		f.add(first+"\n", row("", 0, "starting"))
		if kind == "fatal" || kind == "logpanic" {
			first, rest, _ = strings.Cut(rest, "\n")
			f.add(first+"\n", row("", 0, "failed to start"))
		}
		if rest != "" {
			f.add(rest, Row{"time_source": "observed"})
		}
	}
}

func main() {
	if os.Args[1] == "crash" {
		crash(os.Args[2])
		return
	}
	for _, run := range []func(){slogs, zaps, zerologs, logruses, hclogs, phuslus, charms, apexes, klogs, stdlogs, logfmts, crashes} {
		run()
	}
	must(os.MkdirAll(os.Args[1], 0o755))
	for _, f := range files {
		f.save(os.Args[1])
	}
}
