//! JSON loggers that are told by their keys, and in what they differ from others.

use std::borrow::Cow;

use super::Pick;
use super::json::Role;

/// A JSON logger's own rules.
#[derive(Debug)]
pub(super) struct Dialect {
    /// The rows' format.
    pub(super) name: &'static str,
    /// Keys that all its lines have.
    marks: &'static [&'static str],
    /// Whether `level` is a number.
    level: Level,
    /// The first keys, in this order.
    first: &'static [&'static str],
    /// Which of two keys of a message is the library's own.
    pub(super) message: Pick,
    /// Which of two times.
    pub(super) time: Pick,
    /// Which of two attributes is the event's.
    pub(super) attributes: Pick,
    /// Keys that mean something else here than their names say.
    pub(super) keys: &'static [(&'static str, Role)],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Number,
    Text,
    Any,
}

const ANY: Dialect = Dialect {
    name: "json",
    marks: &[],
    level: Level::Any,
    first: &[],
    message: Pick::First,
    time: Pick::First,
    attributes: Pick::Last,
    keys: &[],
};

/// The first that fits is taken.
pub(super) static DIALECTS: &[Dialect] = &[
    Dialect { name: "otlp", marks: &["observed_time", "resource"], keys: OTLP, ..ANY },
    Dialect {
        name: "logback",
        marks: &["sequenceNumber", "timestamp", "nanoseconds", "threadName"],
        keys: LOGBACK,
        ..ANY
    },
    Dialect {
        name: "loguru",
        marks: &["text", "record"],
        keys: &[("text", Role::Part), ("record", Role::Part)],
        ..ANY
    },
    Dialect {
        name: "roarr",
        marks: &["context", "message", "sequence", "version"],
        keys: &[("context", Role::Container)],
        ..ANY
    },
    Dialect { name: "tslog", marks: &["_logMeta"], ..ANY },
    Dialect { name: "eliot", marks: &["task_uuid", "task_level"], keys: ELIOT, ..ANY },
    Dialect { name: "postgresql", marks: &["error_severity", "backend_type"], ..ANY },
    Dialect { name: "gelf", marks: &["version", "host", "short_message"], level: Level::Number, ..ANY },
    Dialect {
        name: "tracing-bunyan",
        marks: &["v", "name", "target", "line"],
        level: Level::Number,
        attributes: Pick::First,
        ..ANY
    },
    Dialect { name: "bunyan", marks: &["v", "name", "hostname", "pid"], level: Level::Number, ..ANY },
    Dialect { name: "pino", marks: &["time"], first: &["level"], level: Level::Number, message: Pick::Last, ..ANY },
    Dialect { name: "slog", marks: &["msg"], first: &["time", "level"], level: Level::Text, ..ANY },
    Dialect {
        name: "phuslu",
        marks: &["message"],
        first: &["time", "level"],
        level: Level::Text,
        message: Pick::Last,
        ..ANY
    },
    Dialect { name: "zap", marks: &["ts", "msg"], first: &["level"], level: Level::Text, ..ANY },
    Dialect {
        name: "zerolog",
        marks: &["time", "message"],
        first: &["level"],
        level: Level::Text,
        message: Pick::Last,
        time: Pick::Last,
        ..ANY
    },
    Dialect { name: "ecs", marks: &["@timestamp", "ecs.version"], ..ANY },
    Dialect { name: "logstash", marks: &["@timestamp", "@version"], ..ANY },
    Dialect { name: "tracing", marks: &["timestamp", "level", "target", "fields"], ..ANY },
    Dialect { name: "structlog", marks: &["event", "level", "timestamp"], ..ANY },
    Dialect { name: "kubernetes-audit", marks: &["auditID", "verb", "requestURI"], ..ANY },
    ANY,
];

const LOGBACK: &[(&str, Role)] = &[
    ("nanoseconds", Role::Part),
    ("arguments", Role::Part),
    ("kvpList", Role::Container),
    ("sequenceNumber", Role::Attribute),
];

/// What the edge makes of a record of OTLP.
const OTLP: &[(&str, Role)] = &[
    ("observed_time", Role::Part),
    ("severity_number", Role::Part),
    ("scope", Role::Part),
    ("resource", Role::Part),
    ("attributes", Role::Container),
];

const ELIOT: &[(&str, Role)] = &[("exception", Role::ExceptionType), ("reason", Role::ExceptionMessage)];

/// The logger whose lines have these keys.
pub(super) fn dialect_of(keys: &[Cow<'_, str>], level_is_number: bool) -> &'static Dialect {
    let fits = |dialect: &&Dialect| {
        let level = match dialect.level {
            Level::Number => level_is_number,
            Level::Text => !level_is_number,
            Level::Any => true,
        };
        level
            && dialect.first.iter().enumerate().all(|(index, wanted)| keys.get(index).is_some_and(|key| key == wanted))
            && dialect.marks.iter().all(|mark| keys.iter().any(|key| key == mark))
    };
    DIALECTS.iter().find(fits).unwrap_or(&ANY_DIALECT)
}

static ANY_DIALECT: Dialect = ANY;
