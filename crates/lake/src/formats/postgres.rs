//! PostgreSQL's text log: `2026-11-29 00:14:13.362 JST [1] u@d ERROR:  text`, after a `log_line_prefix` that begins with
//! `%m` or `%t`, with the lines of DETAIL, HINT, CONTEXT and STATEMENT below.

use super::{Format, Joins};
use crate::draft::Draft;
use crate::severity::Severity;
use crate::stamp::Stamp;

const NAME: &str = "postgresql";

#[derive(Debug)]
pub(super) struct PostgreSql;

const LEVELS: [&str; 13] = [
    "LOG", "ERROR", "FATAL", "PANIC", "WARNING", "NOTICE", "INFO", "DEBUG1", "DEBUG2", "DEBUG3", "DEBUG4", "DEBUG5",
    "DEBUG",
];

/// Lines that add to the one before them.
const DETAILS: [(&str, &str); 6] = [
    ("DETAIL", "detail"),
    ("HINT", "hint"),
    ("CONTEXT", "context"),
    ("STATEMENT", "statement"),
    ("QUERY", "query"),
    ("LOCATION", "location"),
];

impl Format for PostgreSql {
    fn names(&self) -> Vec<&'static str> {
        vec![NAME]
    }

    fn read(&mut self, text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
        let (stamp, length) = Stamp::read(text)?;
        let rest = text.get(length..)?;
        let (zone, rest) = zone(rest);
        let first = rest.split('\n').next()?;
        let (at, word) = first.match_indices(":  ").find_map(|(at, _)| {
            let start = first.get(..at)?.rfind(' ')? + 1;
            Some((at, first.get(start..at)?))
        })?;
        let level = LEVELS.contains(&word);
        if !level && !DETAILS.iter().any(|&(name, _)| name == word) {
            return None;
        }
        let prefix = rest.get(..at - word.len())?.trim();
        // A message's further lines are behind a TAB that the server puts there.
        let message = rest.get(at + 3..)?.replace("\n\t", "\n");
        let message = message.as_str();
        draft.stamp(stamp);
        if let Some(zone) = zone {
            draft.attribute("time_zone", Some(zone));
        }
        draft.severity(Severity::from_word(word), word);
        for part in prefix.split(' ').filter(|part| !part.is_empty()) {
            match part.strip_prefix('[').and_then(|part| part.strip_suffix(']')) {
                Some(pid) => draft.known("pid", pid.split('-').next().unwrap_or(pid)),
                None => match part.split_once('@') {
                    Some((user, database)) => {
                        draft.known("user", user);
                        draft.known("database", database);
                    }
                    None => draft.known("prefix", part),
                },
            }
        }
        details(message, draft);
        if let Some(milliseconds) = duration(message) {
            draft.duration(milliseconds);
        }
        Some(NAME)
    }

    fn joins(&self) -> Joins {
        Joins::Everything
    }

    fn continuation<'l>(&self, record: &str, line: &'l str) -> Option<&'l str> {
        // The same process says more about its line.
        let process =
            |text: &str| text.split_once(" [").and_then(|(_, rest)| rest.split(']').next().map(str::to_owned));
        let adds = DETAILS.iter().any(|&(name, _)| {
            line.find(name).is_some_and(|at| line[at + name.len()..].starts_with(":  ") && line[..at].ends_with(' '))
        });
        (adds && Stamp::read(line).is_some() && process(record) == process(line)).then_some(line)
    }
}

/// The zone that the stamp's reader did not believe.
fn zone(rest: &str) -> (Option<&str>, &str) {
    let Some(after) = rest.strip_prefix(' ') else { return (None, rest) };
    let length = after.bytes().take_while(u8::is_ascii_uppercase).count();
    if (2..=5).contains(&length) && after[length..].starts_with(' ') && !LEVELS.contains(&&after[..length]) {
        return (Some(&after[..length]), &after[length..]);
    }
    (None, rest)
}

/// The message, and the further lines as attributes.
fn details(message: &str, draft: &mut Draft<'_>) {
    let mut end = message.len();
    let mut at = 0;
    let mut found: Vec<(&str, usize, usize)> = Vec::new();
    for line in message.split('\n') {
        if at > 0 && Stamp::read(line).is_some() {
            for (name, attribute) in DETAILS {
                let marker = line.find(name).filter(|&start| line[start + name.len()..].starts_with(":  "));
                if let Some(start) = marker {
                    end = end.min(at - 1);
                    if let Some(last) = found.last_mut() {
                        last.2 = at - 1;
                    }
                    found.push((attribute, at + start + name.len() + 3, message.len()));
                    break;
                }
            }
        }
        at += line.len() + 1;
    }
    draft.body(&message[..end]);
    for (attribute, from, to) in found {
        draft.attribute(attribute, message.get(from..to));
    }
}

/// The duration that a message begins with: `duration: 0.343 ms`.
pub(super) fn duration(message: &str) -> Option<f64> {
    message.strip_prefix("duration: ")?.split_once(" ms")?.0.parse().ok()
}
