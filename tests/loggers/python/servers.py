"""Fixtures of web servers: access lines and start-up lines. Argument: the output folder."""
import datetime
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fixture import LEVELS, Fixture, iso_ns, none

OUT = sys.argv[1]
HERE = Path(__file__).parent
REQUESTS = (
    b'GET /caf%C3%A9%20x?q=a%2Bb HTTP/1.1\r\nHost: h\r\nUser-Agent: ua\r\nConnection: close\r\n\r\n',
    b'GET /missing HTTP/1.1\r\nHost: h\r\nUser-Agent: curl/8.5 "x" \\ y\r\nReferer: http://h/a b\r\nConnection: close\r\n\r\n',
    b"POST /boom HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    b"HEAD / HTTP/1.0\r\n\r\n",
    b"\x16\x03\x01\x02\x00\r\n\r\n",
)
STATUS = (200, 404, 500, 200)
SERVERS = {
    "gunicorn": ["-b", "127.0.0.1:PORT", "--access-logfile", "-", "site_app:wsgi"],
    "uvicorn": ["--host", "127.0.0.1", "--port", "PORT", "site_app:asgi"],
    "hypercorn": ["-b", "127.0.0.1:PORT", "--access-logfile", "-", "site_app:asgi"],
    "granian": ["--interface", "asgi", "--host", "127.0.0.1", "--port", "PORT", "--access-log", "site_app:asgi"],
}


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def reachable(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def wait_for(condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the server is late"
        time.sleep(0.05)


def send(port, raw):
    with socket.create_connection(("127.0.0.1", port), 10) as peer:
        peer.settimeout(10)
        peer.sendall(raw)
        while peer.recv(65536):
            pass


def served(name, options, folder):
    """What the server printed to its two streams while it answered REQUESTS."""
    port = free_port()
    files = [Path(folder, f"{name}.{end}") for end in ("out", "err")]
    with files[0].open("wb") as out, files[1].open("wb") as err:
        command = [sys.executable, "-m", name] + [option.replace("PORT", str(port)) for option in options]
        server = subprocess.Popen(command, cwd=HERE, stdout=out, stderr=err)
        try:
            wait_for(lambda: reachable(port))
            for raw in REQUESTS:
                send(port, raw)
            wait_for(lambda: b"HEAD /" in files[0].read_bytes())
        finally:
            server.terminate()
            server.wait(20)
    return [file.read_bytes().decode() for file in files]


def access_ns(text):
    """Unix nanoseconds of an access line's stamp."""
    at = datetime.datetime.strptime(text, "%d/%b/%Y:%H:%M:%S %z")
    return iso_ns(at.isoformat())


def keep(name, text, head, row):
    """`head` matches the first line of a record; other lines belong to the one before."""
    groups = []
    for line in text.removesuffix("\n").split("\n"):
        if re.match(head, line):
            groups.append([line])
        else:
            groups[-1].append(line)
    fixture = Fixture(name, none)
    for group in groups:
        found = row(re.match(head, group[0]))
        if len(group) > 1:
            kind, message = group[-1].split(": ", 1)
            found |= {"exception_type": kind, "exception_message": message, "exception_stacktrace": "\n".join(group[1:])}
        fixture.printed("\n".join(group) + "\n", **found)
    fixture.keep(OUT)
    return [row["status"] for row in fixture.rows if row.get("status")]


def level(token):
    return {"severity_number": LEVELS[token.lower()], "severity_text": token}


def event(found):
    """A start-up or error line; its stamp has an offset, or there is none."""
    at = found.groupdict().get("at")
    stamp = {"time_ns": iso_ns(at.replace(" +", "+")), "time_source": "record"} if at else {}
    return {**stamp, **level(found["level"]), "body": found["text"], "status": None, "duration_ms": None}


def access(found):
    parts = found.groupdict()
    row = {"severity_number": None, "severity_text": None, "status": int(found["status"]), "duration_ms": None}
    if parts.get("at"):
        row |= {"time_ns": access_ns(parts["at"]), "time_source": "record"}
    if parts.get("stamp"):
        row |= {"time_ns": iso_ns(parts["stamp"].replace(" +", "+")), "time_source": "record"}
    if parts.get("level"):
        row |= level(parts["level"])
    if parts.get("ms"):
        row["duration_ms"] = float(parts["ms"])
    return row


def either(found):
    return access(found) if found["status"] else event(found)


STAMPED = r"\[(?P<at>\S+ \S+ \S+)\] \[\d+\] \[(?P<level>[A-Z]+)\] (?P<text>.*)$"
PREFIXED = r"(?P<level>[A-Z]+): +(?P<text>.*)$"
with tempfile.TemporaryDirectory() as folder:
    out, err = served("gunicorn", SERVERS["gunicorn"], folder)
    assert keep("gunicorn-access", out, r'\S+ - - \[(?P<at>[^\]]+)\] ".*" (?P<status>\d+) \d+ ".*"$', access) == list(STATUS)
    keep("gunicorn-error", err, STAMPED, event)
    out, err = served("uvicorn", SERVERS["uvicorn"], folder)
    assert keep("uvicorn-access", out, r'(?P<level>[A-Z]+): +\S+ - "[^"]*" (?P<status>\d+) ', access) == list(STATUS)
    keep("uvicorn-error", err, PREFIXED, event)
    out, err = served("hypercorn", SERVERS["hypercorn"], folder)
    shape = r'\[(?P<stamp>\S+ \S+ \S+)\] \[\d+\] \[(?P<level>[A-Z]+)\] \S+ - - \[[^\]]+\] "[^"]*" (?P<status>\d+) '
    assert keep("hypercorn-access", out, shape, access) == list(STATUS)
    keep("hypercorn-error", err, STAMPED, event)
    # granian prints both kinds to stdout; only its access lines have a time
    out, err = served("granian", SERVERS["granian"], folder)
    assert not err
    shape = (
        r'(?:\[(?P<stamp>\d\S+ \S+ \S+)\] \S+ - "[^"]*" (?P<status>\d+) (?P<ms>[\d.]+)|\[(?P<level>[A-Z]+)\] (?P<text>.*))$'
    )
    assert sorted(keep("granian", out, shape, either)) == sorted(STATUS)
