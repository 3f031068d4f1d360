"""Sends log records with OpenTelemetry's SDK, and writes what must arrive. Usage: send.py URL OUT"""
import json
import logging
import math
import sys
import traceback
import warnings
from pathlib import Path

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.common.http import Compression as JsonCompression
from opentelemetry.exporter.otlp.json.http._log_exporter import OTLPLogExporter as JsonExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

URL, OUT = sys.argv[1], Path(sys.argv[2])
# 2026-01-31T12:00:00.123456789Z
TIME = 1769860800123456789
CREATED = 1769860800.123456
TRACE, SPAN = "000102030405060708090a0b0c0d0e0f", "0001020304050607"
IN_SPAN = trace.set_span_in_context(
    trace.NonRecordingSpan(trace.SpanContext(int(TRACE, 16), int(SPAN, 16), is_remote=False, trace_flags=trace.TraceFlags(1)))
)

# Each value, and the JSON text that must arrive.
TEXTS = {"order": ("o1", '"o1"'), "empty": ("", '""'), 'a "key" ä': ("x\n\\ 😀", r'"x\n\\ 😀"')}
NUMBERS = {
    "seven": (7, "7"),
    "two to the 53": (2**53, "9007199254740992"),
    "and one": (2**53 + 1, "9007199254740993"),
    "greatest": (2**63 - 1, "9223372036854775807"),
    "least": (-(2**63), "-9223372036854775808"),
    "one": (1.0, "1.0"),
    "minus zero": (-0.0, "-0.0"),
    "tenth": (0.1, "0.1"),
    "third": (1 / 3, "0.3333333333333333"),
    "large": (1e21, "1e21"),
    "largest": (sys.float_info.max, "1.7976931348623157e308"),
    "smallest": (5e-324, "5e-324"),
    "nan": (math.nan, '"NaN"'),
    "infinity": (math.inf, '"Infinity"'),
    "minus infinity": (-math.inf, '"-Infinity"'),
}
OTHERS = {
    "true": (True, "true"),
    "false": (False, "false"),
    "bytes": (b"\x00\x01\xff", '"AAH/"'),
    "no bytes": (b"", '""'),
    "none": (None, "null"),
    "texts": (["a", ""], '["a",""]'),
    "mixed": ([2**53 + 1, 1.0, "a", False, None, b"\xfb\xff", [1]], '[9007199254740993,1.0,"a",false,null,"+/8=",[1]]'),
    "nothing": ([], "[]"),
    "map": ({"a": {"b": [{"c": math.nan}, {}]}, "d": None}, '{"a":{"b":[{"c":"NaN"},{}]},"d":null}'),
}
BODIES = [
    ({"a": {"b": 2**63 - 1}, "c": [1.5, None]}, '{"a":{"b":9223372036854775807},"c":[1.5,null]}'),
    (["a", 1], '["a",1]'),
    (b"\x00\x01\xff", '"AAH/"'),
    (7, "7"),
    (1e21, "1e21"),
    (True, "true"),
    ("", '""'),
]


class Sender:
    """Sends as one service, and keeps what must arrive."""

    def __init__(self, name, exporter, resource, version="1.2.3"):
        self.name, self.resource, self.version, self.records = name, resource, version, []
        self.provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
        self.provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
        self.logger = self.provider.get_logger(name, version)

    def send(self, body=None, attributes={}, severity=SeverityNumber.UNSPECIFIED, text=None, event=None, time=TIME, context=None):
        """Emits a record; body and attributes are pairs of a value and its JSON."""
        values = {key: value for key, (value, _) in attributes.items()}
        body_value, body_json = body or (None, None)
        self.logger.emit(LogRecord(
            timestamp=time, observed_timestamp=TIME + 1, context=context, severity_text=text, severity_number=severity,
            body=body_value, attributes=values, event_name=event,
        ))
        expected = {"time_ns": time and str(time), "observed_ns": str(TIME + 1), "body": body_json, "event_name": event}
        if severity.value:
            expected["severity_number"] = severity.value
        expected["severity_text"] = text
        if context:
            expected |= {"trace_id": TRACE, "span_id": SPAN}
        expected["attributes"] = {key: text for key, (_, text) in attributes.items()}
        self.expect(expected)

    def expect(self, record):
        self.records.append({key: value for key, value in record.items() if value is not None})

    def end(self):
        """Shuts the SDK down as programs do, which sends what is queued."""
        self.provider.shutdown()
        expected = {
            "service": self.resource.attributes["service.name"],
            "version": self.version,
            "language": json.dumps(self.resource.attributes["telemetry.sdk.language"]),
            "records": self.records,
        }
        (OUT / f"{self.name}.expected.json").write_text(json.dumps(expected, ensure_ascii=False), encoding="utf-8")


def everything(name, exporter):
    sender = Sender(name, exporter, Resource.create({"service.name": f"{name} ü"}))
    warn = SeverityNumber.WARN
    sender.send(('paid "7" €', r'"paid \"7\" €"'), TEXTS, warn, "WARN", "order.paid", context=IN_SPAN)
    sender.send(("numbers", '"numbers"'), NUMBERS)
    sender.send(("others", '"others"'), OTHERS)
    sender.send(("no time", '"no time"'), time=None)
    sender.send()
    for body in BODIES:
        sender.send(body)
    # Larger than a record may be: refused, of which this SDK says nothing.
    sender.logger.emit(LogRecord(timestamp=TIME, body="x" * 300_000))
    for number in range(1000):
        severity = SeverityNumber(number % 24 + 1)
        values = {"n": (number, str(number)), "seventh": (number / 7, repr(number / 7))}
        sender.send((f"record {number}", f'"record {number}"'), values, severity, severity.name, time=TIME + number)
    sender.end()


def bridge(name):
    """Records of the standard library's loggers, which have a scope without a version."""
    sender = Sender(name, OTLPLogExporter(URL), Resource.create({"service.name": name}), None)
    handler = LoggingHandler(logger_provider=sender.provider)

    def log(expected, extra={}, **fields):
        record = logging.makeLogRecord({"name": name, "pathname": "a.py", "lineno": 7, "funcName": "f", "created": CREATED, **fields, **extra})
        handler.emit(record)
        code = {"code.file.path": '"a.py"', "code.line.number": "7", "code.function.name": '"f"'}
        expected["attributes"] = code | {key: json.dumps(value) for key, value in extra.items()} | expected.get("attributes", {})
        # The handler's own arithmetic.
        sender.expect({"time_ns": str(int(CREATED * 1e9))} | expected)

    log({"body": '"paid 7"', "severity_number": 13, "severity_text": "WARN"}, {"order": "o1"}, msg="paid %d", args=(7,), levelname="WARNING", levelno=30)
    try:
        raise KeyError("k")
    except KeyError:
        error = sys.exc_info()
    log({
        "body": '"failed"', "severity_number": 17, "severity_text": "ERROR",
        "attributes": {
            "exception.type": '"KeyError"',
            "exception.message": '"k"',
            "exception.stacktrace": json.dumps("".join(traceback.format_exception(*error)), ensure_ascii=False),
        },
    }, msg="failed", levelname="ERROR", levelno=40, exc_info=error)
    sender.end()


def unnamed(name):
    sender = Sender(name, OTLPLogExporter(URL), Resource.create())
    sender.send(("unnamed", '"unnamed"'))
    sender.end()


warnings.simplefilter("ignore", DeprecationWarning)
everything("python-protobuf", OTLPLogExporter(URL))
everything("python-protobuf-gzip", OTLPLogExporter(URL, compression=Compression.Gzip))
everything("python-json", JsonExporter(URL))
everything("python-json-gzip", JsonExporter(URL, compression=JsonCompression.GZIP))
bridge("python-logging")
unnamed("python-unnamed")
