package app;

import static io.opentelemetry.api.common.Value.of;

import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.common.KeyValue;
import io.opentelemetry.api.common.Value;
import io.opentelemetry.api.logs.LogRecordBuilder;
import io.opentelemetry.api.logs.Logger;
import io.opentelemetry.api.logs.Severity;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.TraceFlags;
import io.opentelemetry.api.trace.TraceState;
import io.opentelemetry.context.Context;
import io.opentelemetry.exporter.otlp.http.logs.OtlpHttpLogRecordExporter;
import io.opentelemetry.sdk.common.CompletableResultCode;
import io.opentelemetry.sdk.logs.SdkLoggerProvider;
import io.opentelemetry.sdk.logs.export.BatchLogRecordProcessor;
import io.opentelemetry.sdk.resources.Resource;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import tools.jackson.databind.ObjectMapper;

/** Sends log records with OpenTelemetry's SDK, and writes what must arrive. Usage: Send URL OUT */
final class Send {
    static final String TRACE = "000102030405060708090a0b0c0d0e0f";
    static final String SPAN = "0001020304050607";

    /** 2026-01-31T12:00:00.123456789Z. */
    static final long TIME = 1769860800123456789L;

    /** A value, and the JSON text that must arrive. */
    record Pair(Value<?> value, String json) {}

    static Pair pair(Value<?> value, String json) {
        return new Pair(value, json);
    }

    /** A text that is written in JSON as it is. */
    static Pair text(String text) {
        return pair(of(text), '"' + text + '"');
    }

    static byte[] bytes(int... values) {
        byte[] bytes = new byte[values.length];
        for (int index = 0; index < values.length; index++) bytes[index] = (byte) values[index];
        return bytes;
    }

    static final Map<String, Pair> TEXTS =
            Map.of("order", text("o1"), "empty", text(""), "a \"key\" ä", pair(of("x\n\\ 😀"), "\"x\\n\\\\ 😀\""));

    static final Map<String, Pair> NUMBERS = Map.ofEntries(
            Map.entry("seven", pair(of(7), "7")),
            Map.entry("and one", pair(of((1L << 53) + 1), "9007199254740993")),
            Map.entry("greatest", pair(of(Long.MAX_VALUE), "9223372036854775807")),
            Map.entry("least", pair(of(Long.MIN_VALUE), "-9223372036854775808")),
            Map.entry("one", pair(of(1.0), "1.0")),
            Map.entry("minus zero", pair(of(-0.0), "-0.0")),
            Map.entry("tenth", pair(of(0.1), "0.1")),
            Map.entry("large", pair(of(1e21), "1e21")),
            Map.entry("largest", pair(of(Double.MAX_VALUE), "1.7976931348623157e308")),
            Map.entry("smallest", pair(of(Double.MIN_VALUE), "5e-324")),
            Map.entry("nan", pair(of(Double.NaN), "\"NaN\"")),
            Map.entry("infinity", pair(of(Double.POSITIVE_INFINITY), "\"Infinity\"")),
            Map.entry("minus infinity", pair(of(Double.NEGATIVE_INFINITY), "\"-Infinity\"")));

    static final Map<String, Pair> OTHERS = Map.of(
            "true", pair(of(true), "true"),
            "false", pair(of(false), "false"),
            "bytes", pair(of(bytes(0, 1, 255)), "\"AAH/\""),
            "no bytes", pair(of(bytes()), "\"\""),
            "none", pair(Value.empty(), "null"),
            "texts", pair(of(of("a"), of("")), "[\"a\",\"\"]"),
            "mixed", pair(
                    of(of((1L << 53) + 1), of(1.0), of("a"), of(false), Value.empty(), of(bytes(251, 255)), of(of(1))),
                    "[9007199254740993,1.0,\"a\",false,null,\"+/8=\",[1]]"),
            "nothing", pair(of(List.of()), "[]"),
            "map", pair(
                    of(KeyValue.of("a", of(KeyValue.of("b", of(of(KeyValue.of("c", of(Double.NaN))), of(Map.of()))))), KeyValue.of("d", Value.empty())),
                    "{\"a\":{\"b\":[{\"c\":\"NaN\"},{}]},\"d\":null}"));

    static final List<Pair> BODIES = List.of(
            pair(of(KeyValue.of("a", of(Long.MAX_VALUE)), KeyValue.of("b", of(1.5))), "{\"a\":9223372036854775807,\"b\":1.5}"),
            pair(of(of("a"), of(1)), "[\"a\",1]"),
            pair(of(bytes(0, 1, 255)), "\"AAH/\""),
            pair(of(7), "7"),
            pair(of(1e21), "1e21"),
            pair(of(true), "true"),
            text(""));

    final String name;
    final Resource resource;
    final SdkLoggerProvider provider;
    final Logger logger;
    final List<Map<String, Object>> records = new ArrayList<>();

    /** Sends as one service, and keeps what must arrive. */
    Send(String name, OtlpHttpLogRecordExporter exporter, Resource resource) {
        this.name = name;
        this.resource = resource;
        provider = SdkLoggerProvider.builder()
                .setResource(resource)
                .addLogRecordProcessor(BatchLogRecordProcessor.builder(exporter).build())
                .build();
        logger = provider.loggerBuilder(name).setInstrumentationVersion("1.2.3").build();
    }

    /** Emits a record, of which `more` sets what is not the same in all. */
    void send(Pair body, Map<String, Pair> attributes, Consumer<Record> more) {
        Record record = new Record(logger.logRecordBuilder());
        record.builder.setObservedTimestamp(TIME + 1, TimeUnit.NANOSECONDS);
        record.expected.put("observed_ns", Long.toString(TIME + 1));
        record.time(TIME);
        if (body != null) {
            record.builder.setBody(body.value);
            record.expected.put("body", body.json);
        }
        Map<String, String> texts = new LinkedHashMap<>();
        attributes.forEach((key, pair) -> {
            record.builder.setAttribute(key, pair.value);
            texts.put(key, pair.json);
        });
        record.expected.put("attributes", texts);
        more.accept(record);
        record.builder.emit();
        records.add(record.expected);
    }

    void send(Pair body, Map<String, Pair> attributes) {
        send(body, attributes, record -> {});
    }

    /** A record, and what must arrive of it. */
    record Record(LogRecordBuilder builder, Map<String, Object> expected) {
        Record(LogRecordBuilder builder) {
            this(builder, new LinkedHashMap<>());
        }

        void time(long nanoseconds) {
            builder.setTimestamp(nanoseconds, TimeUnit.NANOSECONDS);
            expected.put("time_ns", Long.toString(nanoseconds));
        }

        void severity(Severity severity) {
            builder.setSeverity(severity).setSeverityText(severity.name());
            expected.put("severity_number", severity.getSeverityNumber());
            expected.put("severity_text", severity.name());
        }

        void noTime() {
            builder.setTimestamp(0, TimeUnit.NANOSECONDS);
            expected.remove("time_ns");
        }

        void inSpan(String event) {
            SpanContext context = SpanContext.create(TRACE, SPAN, TraceFlags.getSampled(), TraceState.getDefault());
            builder.setContext(Context.root().with(Span.wrap(context))).setEventName(event);
            expected.putAll(Map.of("trace_id", TRACE, "span_id", SPAN, "event_name", event));
        }
    }

    /** Shuts the SDK down as programs do, which sends what is queued. */
    void end(Path out) {
        CompletableResultCode ended = provider.shutdown().join(30, TimeUnit.SECONDS);
        if (!ended.isSuccess()) throw new IllegalStateException(name + " was not sent");
        Map<String, Object> expected = Map.of(
                "service", resource.getAttribute(AttributeKey.stringKey("service.name")),
                "version", "1.2.3",
                "language", "\"java\"",
                "records", records);
        new ObjectMapper().writeValue(out.resolve(name + ".expected.json"), expected);
    }

    static void everything(String name, OtlpHttpLogRecordExporter exporter, Path out) {
        Attributes service = Attributes.of(AttributeKey.stringKey("service.name"), name + " ü");
        Send sender = new Send(name, exporter, Resource.getDefault().merge(Resource.create(service)));
        sender.send(pair(of("paid \"7\" €"), "\"paid \\\"7\\\" €\""), TEXTS, record -> {
            record.severity(Severity.WARN);
            record.inSpan("order.paid");
        });
        sender.send(text("numbers"), NUMBERS);
        sender.send(text("others"), OTHERS);
        sender.send(text("no time"), Map.of(), Record::noTime);
        sender.send(null, Map.of());
        BODIES.forEach(body -> sender.send(body, Map.of()));
        // Larger than a record may be: refused, of which this SDK says nothing.
        sender.logger.logRecordBuilder().setBody("x".repeat(300_000)).emit();
        for (int number = 0; number < 1000; number++) {
            Severity severity = Severity.values()[number % 24 + 1];
            long time = TIME + number;
            sender.send(text("record " + number), Map.of("n", pair(of(number), Integer.toString(number))), record -> {
                record.time(time);
                record.severity(severity);
            });
        }
        sender.end(out);
    }

    public static void main(String[] args) {
        String url = args[0];
        Path out = Path.of(args[1]);
        everything("java-protobuf", OtlpHttpLogRecordExporter.builder().setEndpoint(url).build(), out);
        everything("java-protobuf-gzip", OtlpHttpLogRecordExporter.builder().setEndpoint(url).setCompression("gzip").build(), out);
        Send unnamed = new Send("java-unnamed", OtlpHttpLogRecordExporter.builder().setEndpoint(url).build(), Resource.getDefault());
        unnamed.send(text("unnamed"), Map.of());
        unnamed.end(out);
        System.exit(0);
    }
}
