"""Exceptions that the fixtures log."""
import json


def charge():
    try:
        raise ValueError("inner")
    except ValueError as cause:
        raise RuntimeError("outer") from cause


def read():
    json.loads("{")


def wait():
    raise TimeoutError


READ_TEXT = "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"


def context():
    try:
        {}["key"]
    except KeyError:
        raise LookupError("outer")


def noted():
    error = ValueError("outer")
    error.add_note("first note")
    error.add_note("second note: of two")
    raise error


def long_text():
    raise ValueError("outer: two lines\nthe second one")


def group():
    raise ExceptionGroup("many", [ValueError("first"), TypeError("second")])


def parse():
    compile("a b", "pay.cfg", "exec")
