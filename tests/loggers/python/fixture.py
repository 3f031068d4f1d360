"""One fixture: what a logger printed, and the row that each record must become."""
import datetime
import json
import re
from decimal import Decimal
from pathlib import Path

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
LEVELS = {"trace": 1, "debug": 5, "info": 9, "success": 10, "warning": 13, "error": 17, "critical": 21}


def iso_ns(text):
    """Unix nanoseconds of an ISO stamp; a stamp without zone is taken as UTC."""
    at = datetime.datetime.fromisoformat(text)
    if at.tzinfo is None:
        at = at.replace(tzinfo=datetime.timezone.utc)
    return (at - EPOCH) // datetime.timedelta(microseconds=1) * 1000


def unix_ns(text):
    """Unix nanoseconds of a printed number of seconds, all its digits."""
    return int(Decimal(text) * 10**9)


class Sink:
    """A stream that keeps what is written to it."""

    encoding = "utf-8"

    def __init__(self):
        self.parts = []

    def write(self, text):
        self.parts.append(text)
        return len(text)

    def flush(self):
        pass

    def take(self):
        text = "".join(self.parts)
        self.parts.clear()
        return text


class Fixture:
    """`stamp(printed)` gives (time_ns, time_source); `common` are keys of each row."""

    def __init__(self, name, stamp, **common):
        self.name, self.stamp, self.common = name, stamp, common
        self.sink, self.text, self.rows = Sink(), "", []

    def record(self, log, **row):
        """Call `log`, which prints one record; a callable in the row is given the printed text."""
        log()
        self.printed(self.sink.take(), **row)

    def printed(self, text, **row):
        assert text.endswith("\n"), (self.name, text)
        self.text += text
        time_ns, source = self.stamp(text)
        out = dict(self.common, time_source=source, lines=text.count("\n"))
        if time_ns is not None:
            out["time_ns"] = time_ns
        for key, value in row.items():
            out[key] = value(text) if callable(value) else value
        for name, value in (out.get("attributes") or {}).items():
            forms = ("null",) if value is None else (value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])
            assert any(form in text for form in forms), (self.name, name, value, text)
        if "\x1b" in text and out.get("attributes"):
            # A line loses its colours before it is read.
            colourless = lambda value: value and re.sub(r"\x1b\[[0-9;]*m", "", value)
            out["attributes"] = {name: colourless(value) for name, value in out["attributes"].items()}
        self.rows.append(out)

    def keep(self, folder):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.name}.log").write_bytes(self.text.encode())
        rows = json.dumps(self.rows, ensure_ascii=False, indent=1)
        (folder / f"{self.name}.expected.json").write_text(rows + "\n", encoding="utf-8")
        print(self.name, len(self.rows))


def none(_):
    return None, "observed"


def json_stamp(key, source="record", of=iso_ns):
    """The stamp under a key of a JSON line."""

    def stamp(text):
        value = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
        for part in key.split("/"):
            value = value[part]
        return of(value), source

    return stamp


def match_stamp(pattern, source, of=iso_ns):
    """The stamp that a pattern's first group finds at the start of the text."""

    def stamp(text):
        return of(re.match(pattern, text).group(1)), source

    return stamp


def value_at(key):
    """The text of the value under a path of keys of a JSON line."""

    def value(text):
        found = json.loads(text)
        for part in key.split("/"):
            found = found[part]
        assert isinstance(found, str)
        return found

    return value


def below(text):
    """The lines below the first one, joined by LF."""
    return text[:-1].split("\n", 1)[1]
