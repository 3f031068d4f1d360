"""Fixtures of the JSON and logfmt loggers. Argument: the output folder."""
import datetime
import json
import logging
import re
import sys
import warnings

warnings.simplefilter("ignore")

import ecs_logging
import eliot
import json_log_formatter
import logfmter
import logfmtkv
import structlog
from loguru import logger as loguru_logger
from pythonjsonlogger.json import JsonFormatter

from errors import READ_TEXT, charge, read, wait
from fixture import LEVELS, Fixture, iso_ns, json_stamp, match_stamp, none, unix_ns, value_at

OUT = sys.argv[1]
MULTILINE = 'café "x" C:\\new\nsecond line'
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
BIG = 2**63 + 1


def level(token, shown):
    """Level keys of a row; `shown` turns a token into its printed form, or is None."""
    if shown is None:
        return {"severity_number": None, "severity_text": None}
    return {"severity_number": LEVELS[token], "severity_text": shown(token)}


def records(fixture, log, failed, shown, stack, *, types=None, took=None, nested=None, null=None, nan=False):
    """The records of the SPEC through `log(level, text, fields)` and `failed(text)`."""

    def row(token, body, **more):
        return dict(level(token, shown), body=body, **more)

    def say(token, text, fields=None, **more):
        fixture.record(lambda: log(token, text, fields or {}), **row(token, text, **more))

    if nan:
        say("info", "not a number", {"ratio": float("nan"), "n": 7}, attributes={"n": "7"})
        say("info", "infinite", {"ratio": float("inf"), "low": float("-inf"), "n": 8}, attributes={"n": "8"})
        return
    plain = {"exception_type": None, "exception_message": None, "exception_stacktrace": None, "duration_ms": None, "status": None}
    say("warning", "paid 7", {"order": "o1", "n": 7}, attributes={"order": "o1", "n": "7"}, **plain)
    say("info", MULTILINE, **plain)
    for text, work, kind, message in (
        ("failed to pay", charge, "RuntimeError", "outer"),
        ("bad body", read, "json.decoder.JSONDecodeError", READ_TEXT),
        ("too late", wait, "TimeoutError", None),
    ):
        if failed is None:
            break
        more = {"exception_type": (types or {}).get(kind, kind)}
        if message is not None:
            more["exception_message"] = message
        if stack is not None:
            more["exception_stacktrace"] = stack

        def fail(work=work, text=text):
            try:
                work()
            except Exception:
                failed(text)

        fixture.record(fail, **row("error", text, **more))
    if took is not None:
        # a timedelta's text (`0:00:01.500250`, `datetime.timedelta(…)`) has no unit: no expectation of duration_ms
        say("info", "took a timedelta", {"took": datetime.timedelta(seconds=1.50025)}, attributes={"took": took})
    say("info", "took a number", {"took": 1.50025}, duration_ms=None, attributes={"took": "1.50025"})
    say("info", "took milliseconds", {"duration_ms": 1500.25}, duration_ms=1500.25)
    say("debug", "level DEBUG")
    say("critical", "level CRITICAL")
    fields = {"ok": True, "nothing": None}
    wanted = {"ok": "true", "nothing": null}
    if null == "absent":
        del wanted["nothing"]
    fields["big"], wanted["big"] = BIG, str(BIG)
    if nested is not None:
        fields |= {"list": [1, "a"], "sub": {"a": {"b": 1.5}}}
        wanted |= nested
    say("info", "odd fields", fields, attributes=wanted)
    say("error", "upstream failed", {"status": 503, "trace_id": TRACE, "span_id": SPAN}, status=503, trace_id=TRACE, span_id=SPAN)
    say("info", "odd status", {"status": 42}, status=None, attributes={"status": "42"})
    say("info", "")
    say("info", "café ☕ 𝄞 \t tab", {"note": "日本\u2028語 \x1b[31mred"}, attributes={"note": "日本\u2028語 \x1b[31mred"})


NESTED = {"list": '[1, "a"]', "sub": '{"a": {"b": 1.5}}'}
NESTED_COMPACT = {"list": '[1,"a"]', "sub": '{"a":{"b":1.5}}'}


def stdlib(name, formatter, stamp, shown, stack, nan=False, **options):
    fixture = Fixture(name, stamp)
    handler = logging.StreamHandler(fixture.sink)
    handler.setFormatter(formatter)
    logger = logging.Logger("app.pay", 1)
    logger.addHandler(handler)
    log = lambda token, text, fields: getattr(logger, token)(text, extra=fields)
    records(fixture, log, logger.exception, shown, stack, nan=nan, **options)
    return fixture, logger


def upper(token):
    return token.upper()


def same(token):
    return token


# python-json-logger
options = dict(took="0:00:01.500250", nested=NESTED)
fixture, logger = stdlib("python-json-logger", JsonFormatter(), none, None, value_at("exc_info"), **options)
fixture.record(lambda: logger.info({"a": 1, "b": [2]}), body="", attributes={"a": "1", "b": "[2]"}, **level("info", None))
fixture.keep(OUT)
stdlib("python-json-logger-nan", JsonFormatter(), none, None, None, nan=True)[0].keep(OUT)

form = "%(asctime)s %(levelname)s %(name)s %(message)s"
stamp = json_stamp("asctime", "inferred")
fixture, logger = stdlib("python-json-logger-format", JsonFormatter(form), stamp, upper, value_at("exc_info"), **options)
fixture.record(lambda: logger.info({"a": 1, "b": [2]}), body="", attributes={"a": "1", "b": "[2]"}, **level("info", upper))
fixture.record(
    lambda: logger.info("own names", extra={"level": "weird", "time": "never"}), body="own names", **level("info", upper)
)
fixture.keep(OUT)

# timestamp=True prints a stamp with +00:00; a list of lines as exc_info
shape = JsonFormatter(
    "{levelname}{message}{name}{asctime}", style="{", rename_fields={"levelname": "level"}, timestamp=True, exc_info_as_array=True, json_ensure_ascii=False
)
join = lambda text: "\n".join(json.loads(text)["exc_info"])
stdlib("python-json-logger-array", shape, json_stamp("timestamp"), upper, join, **options)[0].keep(OUT)

# json-log-formatter
stamp = json_stamp("time")
fixture, logger = stdlib("json-log-formatter", json_log_formatter.JSONFormatter(), stamp, None, value_at("exc_info"), **options)
fixture.record(lambda: logger.info({"a": 1}), body="{'a': 1}", **level("info", None))
fixture.keep(OUT)
stdlib("json-log-formatter-nan", json_log_formatter.JSONFormatter(), stamp, None, None, nan=True)[0].keep(OUT)
verbose = json_log_formatter.VerboseJSONFormatter()
stdlib("json-log-formatter-verbose", verbose, stamp, upper, value_at("exc_info"), **options)[0].keep(OUT)
flat = json_log_formatter.FlatJSONFormatter()
stdlib(
    "json-log-formatter-flat",
    flat,
    stamp,
    None,
    value_at("exc_info"),
    took="0:00:01.500250",
    nested={"list": "[1, 'a']", "sub": "{'a': {'b': 1.5}}"},
)[0].keep(OUT)

# ecs-logging: the frames of the outer exception only; a field that is None is not printed
stamp = json_stamp("@timestamp")
ecs = dict(
    took="datetime.timedelta(seconds=1, microseconds=500250)",
    nested=NESTED_COMPACT,
    null="absent",
    types={"json.decoder.JSONDecodeError": "JSONDecodeError"},
)
fixture, logger = stdlib("ecs-logging", ecs_logging.StdlibFormatter(), stamp, same, value_at("error/stack_trace"), **ecs)
fixture.record(lambda: logger.info("own names", extra={"level": "weird", "time": "never"}), body="own names", **level("info", same))
fixture.record(
    lambda: logger.info("dotted", extra={"http.response.status_code": 404, "trace.id": TRACE, "span.id": SPAN}),
    body="dotted",
    status=404,
    trace_id=TRACE,
    span_id=SPAN,
    **level("info", same),
)
fixture.keep(OUT)
stdlib("ecs-logging-nan", ecs_logging.StdlibFormatter(), stamp, same, None, nan=True)[0].keep(OUT)


# logfmter
def logfmt_value(key):
    """The value under a key in quotes; `\\n`, `\\"` and `\\\\` are its escapes."""

    def value(text):
        found = re.search(rf' {key}="((?:[^"\\]|\\.)*)"', text).group(1)
        return re.sub(r"\\(.)", lambda m: {"n": "\n", "r": "\r", "t": "\t"}.get(m.group(1), m.group(1)), found)

    return value


logfmt = dict(took="0:00:01.500250", null="")
fixture, logger = stdlib("logfmter", logfmter.Logfmter(), none, upper, logfmt_value("exc_info"), **logfmt)
fixture.record(
    lambda: logger.info("lists", extra={"list": [1, "a"], "sub": {"a": {"b": 1.5}}, "path": "C:\\new\\temp", "id": "00701", "eq": "a=b"}),
    body="lists",
    attributes={"list": "[1, 'a']", "sub.a.b": "1.5", "path": "C:\\new\\temp", "id": "00701", "eq": "a=b"},
    **level("info", upper),
)
fixture.record(
    lambda: logger.info("not a number", extra={"ratio": float("nan")}), body="not a number", attributes={"ratio": "nan"}, **level("info", upper)
)
fixture.keep(OUT)
timed = logfmter.Logfmter(keys=["time", "level", "logger"], mapping={"level": "levelname", "time": "asctime", "logger": "name"})
stamp = match_stamp(r'time="([^"]*)"', "inferred")
stdlib("logfmter-time", timed, stamp, upper, logfmt_value("exc_info"), **logfmt)[0].keep(OUT)


# structlog
def structured(name, processors, stamp, failed, stack, nan=False, **options):
    fixture = Fixture(name, stamp)
    structlog.reset_defaults()
    structlog.configure(
        processors=processors,
        logger_factory=structlog.PrintLoggerFactory(fixture.sink),
        wrapper_class=structlog.make_filtering_bound_logger(0),
    )
    logger = structlog.get_logger()
    log = lambda token, text, fields: getattr(logger, token)(text, **fields)
    records(fixture, log, logger.exception if failed else None, same, stack, nan=nan, **options)
    return fixture, logger


p = structlog.processors
default = structlog.get_config()["processors"][:-1]
timedelta = "datetime.timedelta(seconds=1, microseconds=500250)"
local = json_stamp("timestamp", "inferred")
zoned = json_stamp("timestamp")


def json_body(fixture, logger):
    fixture.record(lambda: logger.info({"a": 1, "b": [2]}), body='{"a": 1, "b": [2]}', **level("info", same))
    fixture.record(lambda: logger.fatal("level FATAL"), body="level FATAL", **level("critical", same))


fixture, logger = structured("structlog", default + [p.JSONRenderer()], local, False, None, took=timedelta, nested=NESTED)


def unformatted():
    try:
        charge()
    except RuntimeError:
        logger.exception("failed to pay")


# no traceback processor: `"exc_info": true` and nothing else
fixture.record(
    unformatted,
    body="failed to pay",
    exception_type=None,
    exception_message=None,
    exception_stacktrace=None,
    **level("error", same),
)
json_body(fixture, logger)
fixture.keep(OUT)
structured("structlog-nan", default + [p.JSONRenderer()], local, False, None, nan=True)[0].keep(OUT)

head = [structlog.contextvars.merge_contextvars, p.add_log_level]
iso = p.TimeStamper(fmt="iso", utc=True)
fixture, logger = structured(
    "structlog-iso", head + [iso, p.format_exc_info, p.JSONRenderer()], zoned, True, value_at("exception"), took=timedelta, nested=NESTED
)
json_body(fixture, logger)
fixture.keep(OUT)
fixture, logger = structured(
    "structlog-dict-tracebacks",
    head + [iso, p.dict_tracebacks, p.JSONRenderer(ensure_ascii=False)],
    zoned,
    True,
    None,
    took=timedelta,
    nested=NESTED,
    types={"json.decoder.JSONDecodeError": "JSONDecodeError"},
)
json_body(fixture, logger)
fixture.keep(OUT)
structured(
    "structlog-unix",
    head + [p.TimeStamper(), p.format_exc_info, p.JSONRenderer()],
    json_stamp("timestamp", of=unix_ns),
    True,
    value_at("exception"),
    took=timedelta,
    nested=NESTED,
)[0].keep(OUT)
structured(
    "structlog-logfmt",
    head + [iso, p.format_exc_info, p.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False)],
    match_stamp(r"timestamp=(\S*)", "record"),
    True,
    logfmt_value("exception"),
    took="0:00:01.500250",
    null="",
)[0].keep(OUT)


# loguru
def loguru(name, nan=False, **options):
    fixture = Fixture(name, json_stamp("record/time/repr"))
    loguru_logger.remove()
    loguru_logger.add(fixture.sink, serialize=True, level="TRACE")
    log = lambda token, text, fields: getattr(loguru_logger.bind(**fields), token)(text)
    # record.exception has no stack; the one in `text` would have to be cut out of the rendered line
    records(fixture, log, loguru_logger.exception, upper, None, nan=nan, **options)
    return fixture


fixture = loguru("loguru", took="0:00:01.500250", nested=NESTED, types={"json.decoder.JSONDecodeError": "JSONDecodeError"})
for token in ("trace", "success"):
    fixture.record(lambda: getattr(loguru_logger, token)(f"level {token.upper()}"), body=f"level {token.upper()}", **level(token, upper))
fixture.record(lambda: loguru_logger.info({"a": 1}), body="{'a': 1}", **level("info", upper))
# a level of the caller's own: only its name and number are known
loguru_logger.level("AUDIT", no=22)
fixture.record(lambda: loguru_logger.log("AUDIT", "level AUDIT"), body="level AUDIT", severity_text="AUDIT")
fixture.record(lambda: loguru_logger.log(33, "level 33"), body="level 33", severity_text="Level 33")
fixture.keep(OUT)
loguru("loguru-nan", nan=True).keep(OUT)

# eliot: no level; NaN is null; an integer over 64 bits becomes a line of eliot's own
fixture = Fixture("eliot", json_stamp("timestamp", of=unix_ns), severity_number=None, severity_text=None)


class Bytes:
    """Eliot writes bytes where the stream takes them."""

    def write(self, data):
        fixture.sink.write(data if isinstance(data, str) else data.decode())

    def flush(self):
        pass


eliot.to_file(Bytes())


def say(row, **fields):
    fixture.record(lambda: eliot.log_message(message_type="app.pay", **fields), **row)


say({"body": "paid 7", "attributes": {"order": "o1", "n": "7"}}, message="paid 7", order="o1", n=7)
say({"body": MULTILINE}, message=MULTILINE)
for work, kind, message in ((charge, "builtins.RuntimeError", "outer"), (read, "json.decoder.JSONDecodeError", READ_TEXT), (wait, "builtins.TimeoutError", None)):
    try:
        work()
    except Exception:
        more = {} if message is None else {"exception_message": message}
        fixture.record(eliot.write_traceback, exception_type=kind, exception_stacktrace=value_at("traceback"), **more)
action = None


def start():
    global action
    action = eliot.start_action(action_type="app.charge", order="o1")


fixture.record(start, attributes={"order": "o1", "action_status": "started", "action_type": "app.charge"})
fixture.record(lambda: action.finish(), attributes={"action_status": "succeeded", "action_type": "app.charge"})
fixture.record(start)
try:
    charge()
except RuntimeError as raised:
    error = raised
    fixture.record(
        lambda: action.finish(error),
        exception_type="builtins.RuntimeError",
        exception_message="outer",
        attributes={"action_status": "failed", "action_type": "app.charge"},
    )
say({"body": "took", "attributes": {"took": timedelta}}, message="took", took=datetime.timedelta(seconds=1.50025))
say({"body": "took milliseconds", "duration_ms": 1500.25}, message="took milliseconds", duration_ms=1500.25)
say(
    {"body": "odd fields", "attributes": {"nothing": None, "ratio": None, "big": str(BIG), "list": '[1,"a"]', "sub": '{"a":{"b":1.5}}'}},
    message="odd fields",
    nothing=None,
    ratio=float("nan"),
    big=BIG,
    list=[1, "a"],
    sub={"a": {"b": 1.5}},
)
say({"exception_type": "builtins.TypeError", "exception_message": "Integer exceeds 64-bit range"}, message="too big", big=2**64)
say({"body": "upstream failed", "status": 503, "trace_id": TRACE, "span_id": SPAN}, message="upstream failed", status=503, trace_id=TRACE, span_id=SPAN)
say({"body": '{"a":1}'}, message={"a": 1})
fixture.keep(OUT)

# logfmtkv is a codec, no logger: its lines are made by the caller; True and None are bare keys
fixture = Fixture("logfmtkv", match_stamp(r"time=(\S+) ", "record"))


def line(token, text, row, **fields):
    at = datetime.datetime.now(datetime.timezone.utc)
    out = logfmtkv.serialize({"time": at, "level": token, "msg": text, **fields})
    fixture.record(lambda: fixture.sink.write(out + "\n"), **level(token, same), body=text, **row)


line("warning", "paid 7", {"attributes": {"order": "o1", "n": "7"}}, order="o1", n=7)
line("info", MULTILINE, {})
odd = {"nothing": None, "yes": True, "no": False, "empty": "", "list": [1, "a"], "sub": {"a": {"b": 1.5}}, "path": "C:\\new\\temp", "big": BIG}
wanted = {"nothing": "", "yes": "", "empty": "", "list": '[1,"a"]', "sub": '{"a":{"b":1.5}}', "path": "C:\\new\\temp", "big": str(BIG)}
line("info", "odd fields", {"attributes": wanted}, **odd)
line("info", "took", {"attributes": {"took": "0:00:01.500250"}}, took=datetime.timedelta(seconds=1.50025))
line("error", "upstream failed", {"status": 503, "trace_id": TRACE, "span_id": SPAN}, status=503, trace_id=TRACE, span_id=SPAN)
fixture.keep(OUT)
