"""Fixtures of plain-text configurations. Argument: the output folder."""
import logging
import sys

import structlog
from loguru import logger as loguru_logger

from errors import READ_TEXT, charge, context, group, long_text, noted, parse, read, wait
from fixture import LEVELS, Fixture, below, match_stamp, none

OUT = sys.argv[1]
MULTILINE = 'café "x" C:\\new\nsecond line'
TRICKY = "retry [2/3] - app: ERROR at key=value (WARNING)"


def records(fixture, log, failed, shown=str.upper, tokens=("debug", "critical")):
    def row(token, body, **more):
        return dict(severity_number=LEVELS[token], severity_text=shown(token), body=body, **more)

    def say(token, text, **more):
        fixture.record(lambda: log(token, text), **row(token, text, **more))

    nothing = {"exception_type": None, "exception_message": None, "exception_stacktrace": None, "duration_ms": None, "status": None}
    say("warning", "paid 7", **nothing)
    say("info", MULTILINE, **nothing)
    for text, work, kind, message in (
        ("failed to pay", charge, "RuntimeError", "outer"),
        ("bad body", read, "json.decoder.JSONDecodeError", READ_TEXT),
        ("too late", wait, "TimeoutError", None),
    ):

        def fail(work=work, text=text):
            try:
                work()
            except Exception:
                failed(text)

        more = {} if message is None else {"exception_message": message}
        fixture.record(fail, exception_type=kind, exception_stacktrace=below, **row("error", text), **more)
    for token in tokens:
        say(token, f"level {token.upper()}")
    say("info", TRICKY, **nothing)
    say("info", "last")


def stdlib(name, form, stamp, datefmt=None, style="%", shown=str.upper):
    fixture = Fixture(name, stamp)
    handler = logging.StreamHandler(fixture.sink)
    handler.setFormatter(logging.Formatter(form, datefmt, style))
    logger = logging.Logger("app.pay", 1)
    logger.addHandler(handler)
    records(fixture, lambda token, text: getattr(logger, token)(text), logger.exception, shown)
    if name == "python-logging-padded":
        # Nothing tells the logger's name from the text.
        for row in fixture.rows:
            row.pop("body", None)
    fixture.keep(OUT)


HEAD = r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3})"
stdlib("python-logging-dashes", "%(asctime)s - %(name)s - %(levelname)s - %(message)s", match_stamp(HEAD, "inferred"))
stdlib("python-logging-basic", logging.BASIC_FORMAT, none)
stdlib("python-logging-bracket", "%(asctime)s %(levelname)s [%(name)s] %(message)s", match_stamp(HEAD, "inferred"))
# other usual patterns: padded level, whole seconds, an offset, the place in the code
stdlib("python-logging-padded", "%(asctime)s %(levelname)-8s %(name)s %(message)s", match_stamp(HEAD, "inferred"))
stdlib(
    "python-logging-offset",
    "[%(asctime)s] [%(process)d] [%(levelname)s] %(message)s",
    match_stamp(r"\[(\S+ \S+ [+-]\d{4})\]", "record"),
    "%Y-%m-%d %H:%M:%S %z",
)
stdlib(
    "python-logging-place",
    "%(asctime)s [%(levelname)s] %(filename)s:%(lineno)d: %(message)s",
    match_stamp(r"(\S+ \S+) ", "inferred"),
    "%Y-%m-%d %H:%M:%S",
)

# traces whose last line is not the outer type: only their text is expected
fixture = Fixture("python-logging-odd-traces", match_stamp(HEAD, "inferred"))
handler = logging.StreamHandler(fixture.sink)
handler.setFormatter(logging.Formatter("%(asctime)s - %(name)s - %(levelname)s - %(message)s"))
odd = logging.Logger("app.pay", 1)
odd.addHandler(handler)
for text, work, more in (
    ("context", context, {"exception_type": "LookupError", "exception_message": "outer"}),
    ("key", lambda: {}["key"], {"exception_type": "KeyError", "exception_message": "'key'"}),
    ("syntax", parse, {"exception_type": "SyntaxError", "exception_message": "invalid syntax"}),
    ("notes", noted, {}),
    ("long text", long_text, {}),
    ("group", group, {}),
):

    def fail(work=work, text=text):
        try:
            work()
        except Exception:
            odd.exception(text)

    fixture.record(fail, body=text, severity_number=17, severity_text="ERROR", exception_stacktrace=below, **more)
# below these stands no trace that the rules know: no expectation of the body
row = dict(severity_number=17, severity_text="ERROR")
fixture.record(lambda: odd.error("never raised", exc_info=ValueError("outer")), **row)
fixture.record(lambda: odd.exception("no exception"), **row)
fixture.record(lambda: odd.info("with a stack", stack_info=True), severity_number=9, severity_text="INFO")
fixture.record(lambda: odd.info("last"), body="last", severity_number=9, severity_text="INFO")
fixture.keep(OUT)

# loguru's default line; blank lines stand inside its traces
fixture = Fixture("loguru-text", match_stamp(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) \| ", "inferred"))
loguru_logger.remove()
loguru_logger.add(fixture.sink, level="TRACE")
records(fixture, lambda token, text: getattr(loguru_logger, token)(text), loguru_logger.exception, tokens=("trace", "debug", "success", "critical"))
fixture.keep(OUT)

# structlog's default line
fixture = Fixture("structlog-console", match_stamp(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) \[", "inferred"))
structlog.configure(
    processors=structlog.get_config()["processors"][:-1] + [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)],
    logger_factory=structlog.PrintLoggerFactory(fixture.sink),
    wrapper_class=structlog.make_filtering_bound_logger(0),
)
logger = structlog.get_logger()
records(fixture, lambda token, text: getattr(logger, token)(text), logger.exception, shown=str)
fixture.record(
    lambda: logger.warning("paid 7", order="o1", n=7),
    body="paid 7",
    severity_number=13,
    severity_text="warning",
    attributes={"order": "o1", "n": "7"},
)
fixture.keep(OUT)
