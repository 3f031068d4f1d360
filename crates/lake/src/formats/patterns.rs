//! Text formats that a line of literals and fields describes.
//!
//! A blank in a pattern stands for one or more. `{time}` is a stamp, `{level}` a level's word, `{message}` the rest of the
//! record; `{name}` is a text without blanks, `{name#}` digits, `{name*}` any text; each runs up to the literal behind it and
//! becomes the attribute of that name.

use memchr::memmem::Finder;

use super::{Format, Joins};
use crate::draft::Draft;
use crate::duration;
use crate::severity::Severity;
use crate::stamp::Stamp;

/// Formats with a form of their own.
const SPECIFIC: &[(&str, &str)] = &[
    ("apache-error", "[{time}] [{module}:{level}] [pid {pid*}] [client {client}] {message}"),
    ("apache-error", "[{time}] [{module}:{level}] [pid {pid*}] {message}"),
    ("nginx-error", "{time} [{level}] {pid#}#{tid#}: {message}"),
    ("gunicorn", "[{time}] [{pid#}] [{level}] {message}"),
    ("spring", "{time} {level} {pid#} --- [{app*}] [{thread*}] {logger} : {message}"),
    ("spring", "{time} {level} {pid#} --- [{thread*}] {logger} : {message}"),
    ("zookeeper", "{time} [{myid*}] - {level} [{thread*}] - {message}"),
    ("logback", "{time} [{thread*}] {level} {logger} -- {message}"),
    ("log4j", "{time} [{thread*}] {level} {logger} - {message}"),
    ("log4j", "{time} {level} [{thread*}] {logger} - {message}"),
    ("hadoop", "{time} {level} {logger} ({caller*}) - {message}"),
    ("log4j", "{time} {level} {class} - {message}"),
    ("tracing", "{time} {level} {target}: {message}"),
    ("tracing", "{time} {level} {spans*}: {target}: {message}"),
    ("hadoop", "{time} {level} [{thread*}] {logger}: {message}"),
    ("hadoop", "{time} {level} {logger}: {message}"),
    ("fluentd", "{time} [{level}]: {message}"),
    ("hdfs", "{time} {pid#} {level} {logger}: {message}"),
    ("bgl", "{label} {epoch#} {date} {node} {time} {location} {type} {component} {level} {message}"),
    ("python", "{time} - {logger} - {level} - {message}"),
    ("tomcat", "{time} {level} [{thread*}] {class} {message}"),
    ("cassandra", "{level} [{thread*}] {time} {caller} - {message}"),
    ("jboss", "{time} {level} [{logger}] ({thread*}) {message}"),
    ("python", "{time} {level} [{logger}] {message}"),
    ("python", "{time} [{level}] {file}:{line#}: {message}"),
    ("loguru", "{time} | {level} | {logger} - {message}"),
    ("env_logger", "[{time} {level} {target}] {message}"),
    ("flexi_logger", "[{time}] {level} [{target}] {caller}: {message}"),
    ("serilog", "[{time} {level}] {message}"),
    ("monolog", "[{time}] {channel}.{level}: {message}"),
    ("php-fpm", "[{time}] {level}: {message}"),
    ("celery", "[{time}: {level}/{process}] {message}"),
    ("elasticsearch", "[{time}][{level}][{logger}] [{node}] {message}"),
    ("elasticsearch", "[{time}][{level}][{logger}] {message}"),
    ("envoy", "[{time}][{thread#}][{level}][{logger}] [{caller}] {message}"),
    ("envoy", "[{time}][{thread#}][{level}][{logger}] {message}"),
    ("ruby", "{letter}, [{time} #{pid#}] {level} -- {program*}: {message}"),
    ("mysql", "{time} {thread#} [{level}] [{code}] [{subsystem}] {message}"),
    ("mysql", "{time} {thread#} [{level}] {message}"),
    ("datadog", "{time} | {process*} | {level} | ({caller*}) | {message}"),
    ("jenkins", "{time} [id={id#}]\t{level}\t{logger}: {message}"),
    ("zap", "{time}\t{level}\t{caller}\t{message}"),
    ("zap", "{time}\t{level}\t{logger}\t{caller}\t{message}"),
    ("zap", "{time}\t{level}\t{message}"),
    ("lambda", "{time}\t{request_id}\t{level}\t{message}"),
    ("lambda", "[{level}]\t{time}\t{request_id*}\t{message}"),
    ("redis", "{pid#}:{role} {time} {mark} {message}"),
    ("redis", "{pid#}:signal-handler ({epoch#}) {message}"),
    ("flexi_logger", "{level} [{target}] {message}"),
    ("zerolog", "{clock} {level} {message}"),
    ("logrus", "{level}[{time}] {message}"),
];

/// Formats that fit much: tried last.
const GENERAL: &[(&str, &str)] = &[
    ("timestamped", "{time} [{level}] {message}"),
    ("timestamped", "{time} {level} {message}"),
    ("timestamped", "[{time}] [{level}] {message}"),
    ("timestamped", "[{time}] {level} {message}"),
    ("timestamped", "{time} {message}"),
    ("timestamped", "[{time}] {message}"),
    ("python", "{level}:{logger}:{message}"),
    ("uvicorn", "{level}: {message}"),
    ("logrus", "{level}[{seconds#}] {message}"),
    ("granian", "[{level}] {message}"),
];

/// A part of a pattern.
#[derive(Debug)]
enum Part {
    /// These bytes.
    Literal(&'static str),
    /// One blank or more.
    Blanks,
    Time,
    Level,
    Message,
    /// An attribute.
    Field(&'static str, Content),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Word,
    Digits,
    Any,
}

/// A format that a pattern describes.
#[derive(Debug)]
pub(super) struct Pattern {
    name: &'static str,
    parts: Vec<Part>,
    /// Looks for the bytes behind each part, up to the next field.
    behind: Vec<Finder<'static>>,
    is_general: bool,
}

pub(super) fn specific() -> impl Iterator<Item = Box<dyn Format + Send>> {
    compiled(SPECIFIC, false)
}

pub(super) fn general() -> impl Iterator<Item = Box<dyn Format + Send>> {
    compiled(GENERAL, true)
}

fn compiled(patterns: &'static [(&str, &str)], is_general: bool) -> impl Iterator<Item = Box<dyn Format + Send>> {
    patterns
        .iter()
        .map(move |&(name, pattern)| Box::new(Pattern::new(name, pattern, is_general)) as Box<dyn Format + Send>)
}

impl Pattern {
    fn new(name: &'static str, pattern: &'static str, is_general: bool) -> Self {
        let mut parts = Vec::new();
        let mut rest = pattern;
        while let Some(first) = rest.chars().next() {
            let length = match first {
                ' ' => {
                    parts.push(Part::Blanks);
                    1
                }
                '{' => {
                    let end = rest.find('}').unwrap_or(rest.len() - 1);
                    parts.push(Part::field(&rest[1..end]));
                    end + 1
                }
                _ => {
                    let end = rest.find([' ', '{']).unwrap_or(rest.len());
                    parts.push(Part::Literal(&rest[..end]));
                    end
                }
            };
            rest = &rest[length..];
        }
        let behind = Self::behind(&parts);
        Self { name, parts, behind, is_general }
    }

    /// Sets the message, and what a logger puts behind it.
    fn message(&self, text: &str, draft: &mut Draft<'_>) {
        draft.body(text);
        let first = first_line(text);
        match self.name {
            // The fields as JSON behind a TAB.
            "zap" => {
                if let Some((message, fields)) = first.split_once("\t{") {
                    let fields = &first[first.len() - fields.len() - 1..];
                    if super::json::attributes(fields, draft) {
                        draft.body(&format!("{message}{}", &text[first.len()..]));
                    }
                }
            }
            "timestamped" => Self::timestamped(first, draft),
            // The end of a span.
            "tracing" => {
                let part = |name: &str| first.split(name).nth(1)?.split(' ').next().and_then(duration::from_text);
                if let (Some(busy), Some(idle)) = (part("time.busy="), part("time.idle=")) {
                    draft.duration(busy + idle);
                }
            }
            _ => {}
        }
    }

    /// What others put behind a stamp: the lines of Lambda's platform in CloudWatch's exports, structlog's pairs.
    fn timestamped(first: &str, draft: &mut Draft<'_>) {
        let mut lambda = super::aws::Lambda;
        if lambda.read(first, draft).is_some() {
            return;
        }
        if let Some((severity, level, message)) = node(first) {
            draft.severity(Some(severity), level);
            draft.body(message);
            return;
        }
        let Some((message, fields)) = first.split_once("   ").or_else(|| first.split_once("  ")) else { return };
        let fields = fields.trim_start();
        let are_pairs = !fields.is_empty()
            && fields.split(' ').all(|pair| pair.split_once('=').is_some_and(|(key, _)| !key.is_empty()));
        if are_pairs && draft.body_text() == Some(first) {
            draft.body(message);
            super::logfmt::fields(fields, draft);
        }
    }

    /// The bytes behind each part, up to the next field: where a field ends.
    fn behind(parts: &[Part]) -> Vec<Finder<'static>> {
        let literals = |rest: &[Part]| -> String {
            let texts = rest.iter().map_while(|part| match part {
                Part::Literal(literal) => Some(*literal),
                Part::Blanks => Some(" "),
                _ => None,
            });
            texts.collect()
        };
        (1..=parts.len()).map(|next| Finder::new(&literals(&parts[next..])).into_owned()).collect()
    }
}

impl Part {
    fn field(name: &'static str) -> Self {
        match name {
            "time" => Self::Time,
            "level" => Self::Level,
            "message" => Self::Message,
            _ if name.ends_with('#') => Self::Field(name.trim_end_matches('#'), Content::Digits),
            _ if name.ends_with('*') => Self::Field(name.trim_end_matches('*'), Content::Any),
            _ => Self::Field(name, Content::Word),
        }
    }
}

impl Format for Pattern {
    fn names(&self) -> Vec<&'static str> {
        vec![self.name]
    }

    fn read(&mut self, text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
        let mut rest = text;
        for (index, part) in self.parts.iter().enumerate() {
            match *part {
                Part::Literal(literal) => {
                    rest = rest.strip_prefix(literal).or_else(|| rest.trim_start_matches(' ').strip_prefix(literal))?;
                }
                Part::Blanks => {
                    let trimmed = rest.trim_start_matches(' ');
                    // An empty message leaves no blank at the line's end.
                    if trimmed.len() == rest.len() && !rest.is_empty() {
                        return None;
                    }
                    rest = trimmed;
                }
                Part::Time => {
                    let (stamp, length) = Stamp::read(rest)?;
                    draft.stamp_of(stamp, rest.get(..length)?);
                    rest = rest.get(length..)?;
                }
                Part::Level => {
                    let length = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
                    let (word, after) = rest.split_at_checked(length)?;
                    // Words of a sentence are no levels: `error: …` of a compiler is.
                    let severity = Severity::from_word(word)?;
                    // `Warning` in brackets is one.
                    let in_brackets = index > 0 && matches!(self.parts.get(index - 1), Some(Part::Literal("[")));
                    let cased = in_brackets
                        || word.bytes().all(|byte| !byte.is_ascii_lowercase())
                        || word.bytes().all(|byte| !byte.is_ascii_uppercase());
                    if !cased {
                        return None;
                    }
                    draft.severity(Some(severity), word);
                    rest = after;
                }
                Part::Message => {
                    self.message(rest, draft);
                    rest = "";
                }
                Part::Field(name, content) => {
                    let line = first_line(rest);
                    let length = match content {
                        Content::Digits => line.bytes().take_while(u8::is_ascii_digit).count(),
                        _ => self.behind.get(index)?.find(line.as_bytes())?,
                    };
                    let (value, after) = rest.split_at_checked(length)?;
                    // Columns are filled up with blanks.
                    let value = value.trim_end_matches(' ');
                    let valid = match content {
                        Content::Any => true,
                        Content::Word | Content::Digits => !value.is_empty() && !value.contains(' '),
                    };
                    if !valid {
                        return None;
                    }
                    field(draft, name, value.trim())?;
                    rest = after;
                }
            }
        }
        Some(self.name)
    }

    fn is_general(&self) -> bool {
        self.is_general
    }

    fn joins(&self) -> Joins {
        // Without a time in front, lines of others are likely between those of these.
        if matches!(self.name, "uvicorn" | "granian") { Joins::Traces } else { Joins::Everything }
    }
}

fn first_line(text: &str) -> &str {
    memchr::memchr(b'\n', text.as_bytes()).map_or(text, |end| &text[..end])
}

/// A line of Lambda's Node runtime: time, request, level and message between TABs.
fn node(text: &str) -> Option<(Severity, &str, &str)> {
    let mut parts = text.splitn(4, '\t');
    Stamp::read_all(parts.next()?)?;
    let level = parts.nth(1)?;
    Some((Severity::from_word(level)?, level, parts.next()?))
}

/// Sets what a field of this name stands for.
fn field(draft: &mut Draft<'_>, name: &str, value: &str) -> Option<()> {
    match name {
        "app" => draft.service(value),
        // Redis prints a level as a mark.
        "mark" => {
            let severity = match value {
                "." => Severity::DEBUG,
                "-" => Severity::INFO,
                "*" => Severity::NOTICE,
                "#" => Severity::WARN,
                _ => return None,
            };
            draft.severity(Some(severity), value);
        }
        "epoch" | "date" => {}
        // Go's 3:04PM: to the minute, and without a date, it says less than when the line was taken.
        "clock" => (value.ends_with("AM") || value.ends_with("PM")).then_some(()).filter(|()| value.contains(':'))?,
        "caller" if !value.contains(':') => return None,
        // A class and its method.
        "class" => {
            (value.matches('.').count() >= 2 && !value.ends_with(':')).then_some(())?;
            draft.attribute("logger", Some(value));
        }
        "target" => {
            let is_path = value
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b':'));
            is_path.then(|| draft.attribute(name, Some(value)))?;
        }
        _ => draft.known(name, value),
    }
    Some(())
}
