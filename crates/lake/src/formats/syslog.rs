//! Syslog as it is sent and as relays write it to files: RFC 3164 and its many dialects, and RFC 5424.
//!
//! The priority is optional, the stamp of either RFC may stand in either form, and a message in JSON is read as such.

use super::access::HaProxy;
use super::json::Json;
use super::{Format, Joins};
use crate::draft::Draft;
use crate::exception;
use crate::severity::Severity;
use crate::stamp::Stamp;

/// What RFC 5424 calls a NILVALUE.
const NIL: &str = "-";

#[derive(Debug, Default)]
pub(super) struct Syslog {
    json: Json,
    /// The host of the last line of a relay's file: a further line of it may lack its tag.
    host: String,
}

/// The fields in front of the message.
#[derive(Debug, Default)]
struct Header<'t> {
    priority: Option<u8>,
    stamp: Option<Stamp>,
    host: &'t str,
    tag: &'t str,
    process: &'t str,
    message_id: &'t str,
    structured: &'t str,
    message: &'t str,
}

impl Format for Syslog {
    fn names(&self) -> Vec<&'static str> {
        vec!["syslog", "syslog-5424"]
    }

    fn read(&mut self, text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
        let text = text.trim_end_matches(['\0', '\n']);
        let header = header(text).or_else(|| untagged(text, &self.host))?;
        // A relay that writes files turns what would break its lines into `#` and three octal digits.
        let relayed = header.priority.is_none() && header.message.contains("#0");
        let message = if relayed { unescaped(header.message) } else { header.message.to_owned() };
        let message = message.trim_end_matches(['\0', '\n']);
        let json = message.trim_start();
        let json = json.strip_prefix("@cee:").unwrap_or(json).trim_start();
        let is_read =
            json.starts_with('{') && self.json.read(json, draft).is_some() || HaProxy.read(message, draft).is_some();
        if !is_read {
            if relayed { draft.body(message) } else { draft.body(&header.message[..message.len()]) }
        }
        if let Some(priority) = header.priority {
            if !draft.has_severity() {
                draft.severity(Severity::from_syslog(priority & 7), &(priority & 7).to_string());
            }
            draft.attribute("facility", Some(&(priority >> 3).to_string()));
        }
        // A relay's stamp may be seconds late; HAProxy's own is when the request began.
        if let Some(stamp) = header.stamp.filter(|_| !draft.has_time() || !json.starts_with('{')) {
            draft.stamp(stamp);
        }
        if header.priority.is_none() && self.host != header.host {
            header.host.clone_into(&mut self.host);
        }
        draft.known("host", header.host);
        if is_service(header.tag) {
            draft.service(header.tag);
        } else {
            draft.known("tag", header.tag);
        }
        draft.known("procid", header.process);
        draft.known("msgid", header.message_id);
        structured_data(header.structured, draft);
        Some(if text.starts_with('<') && !header.message_id.is_empty() { "syslog-5424" } else { "syslog" })
    }

    fn joins(&self) -> Joins {
        Joins::Everything
    }

    /// A relay gives each line of a stack trace a header of its own: of the same host, program and second.
    fn continuation<'l>(&self, record: &str, line: &'l str) -> Option<&'l str> {
        let header = header(line).or_else(|| untagged(line, &self.host))?;
        let text = header.message.strip_prefix("#011").unwrap_or(header.message);
        let traced = text.len() < header.message.len()
            || text.starts_with(['\t'])
            || text.starts_with("at ")
            || text.starts_with("Caused by:");
        if !traced {
            return None;
        }
        let first = record.split('\n').next()?;
        let first = self::header(first).or_else(|| untagged(first, &self.host))?;
        // In a relay's file the text of a line without a tag may look like one.
        let same_tag = (first.tag, first.process) == (header.tag, header.process) || header.tag.is_empty();
        let same = first.host == header.host && same_tag && first.stamp == header.stamp;
        same.then_some(header.message)
    }
}

/// The fields in front of the message, by either RFC.
fn header(text: &str) -> Option<Header<'_>> {
    let (priority, rest) = match priority(text) {
        Some((priority, rest)) => (Some(priority), rest),
        None => (None, text),
    };
    rfc5424(priority, rest).or_else(|| rfc3164(priority, rest))
}

/// A line of a relay's file whose tag is none, or is told by the host alone.
fn untagged<'t>(text: &'t str, host: &str) -> Option<Header<'t>> {
    let (stamp, length) = Stamp::read(text)?;
    let rest = text.get(length..)?.strip_prefix(' ')?.strip_prefix(host)?.strip_prefix(' ')?;
    let is_known = !host.is_empty();
    let (tag, process) = match rest.split(' ').next()?.split_once('[') {
        Some((tag, process)) if !tag.is_empty() && process.ends_with(']') => (tag, process.trim_end_matches(']')),
        _ => ("", ""),
    };
    let line = rest.split('\n').next()?;
    let (name, _, start) = self::tag(line);
    // The first line of a trace may look like a tag.
    let is_named = !name.is_empty() && exception::header(line).is_none();
    let (tag, message) = match tag {
        "" if is_named => (name, rest.get(start..)?),
        "" => ("", rest),
        tag => (tag, rest.split_once(' ')?.1),
    };
    let message = message.strip_prefix('\u{feff}').unwrap_or(message);
    is_known.then_some(Header {
        stamp: Some(stamp),
        host: &text[length + 1..][..host.len()],
        tag,
        process,
        message,
        ..Header::default()
    })
}

/// Reads `<PRI>`.
fn priority(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.strip_prefix('<')?.split_once('>')?;
    let valid = (1..=3).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    let priority = digits.parse().ok().filter(|&priority: &u8| valid && priority <= 191)?;
    Some((priority, rest))
}

/// `1 TIME HOST APP PROCID MSGID SD MSG` behind an optional priority.
fn rfc5424(priority: Option<u8>, text: &str) -> Option<Header<'_>> {
    let rest = text.strip_prefix("1 ")?;
    let mut words = rest.splitn(6, ' ');
    let time = words.next()?;
    let stamp = Stamp::read_all(time);
    if stamp.is_none() && time != NIL {
        return None;
    }
    let (host, tag, process, message_id) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let rest = words.next()?;
    let (structured, message) = if let Some(message) = rest.strip_prefix(NIL) {
        ("", message)
    } else {
        rest.split_at_checked(structured_end(rest)?)?
    };
    let message = message.strip_prefix(' ').unwrap_or(message);
    let message = message.strip_prefix('\u{feff}').unwrap_or(message);
    Some(Header { priority, stamp, host, tag, process, message_id, structured, message })
}

/// Where the structured data ends: behind the last bracket of elements that follow one another.
fn structured_end(text: &str) -> Option<usize> {
    let mut at = 0;
    while text.get(at..)?.starts_with('[') {
        let end = at + element_end(&text[at..]);
        if text.as_bytes().get(end - 1) != Some(&b']') {
            return None;
        }
        at = end;
    }
    (at > 0).then_some(at)
}

/// Attributes `id.key` of structured data; `\"`, `\\` and `\]` are unescaped, any other backslash stays.
fn structured_data(text: &str, draft: &mut Draft<'_>) {
    let mut rest = text;
    while rest.starts_with('[') {
        let end = element_end(rest);
        let inside = rest.get(1..end - 1).unwrap_or_default();
        rest = rest.get(end..).unwrap_or_default();
        let (id, mut pairs) = inside.split_once(' ').unwrap_or((inside, ""));
        while let Some((key, after)) = pairs.split_once("=\"") {
            let (mut value, mut escaped, mut length) = (String::new(), false, after.len());
            for (at, letter) in after.char_indices() {
                if escaped {
                    if !matches!(letter, '"' | '\\' | ']') {
                        value.push('\\');
                    }
                    value.push(letter);
                    escaped = false;
                } else if letter == '\\' {
                    escaped = true;
                } else if letter == '"' {
                    length = at + 1;
                    break;
                } else {
                    value.push(letter);
                }
            }
            draft.attribute(&format!("{id}.{}", key.trim_start()), Some(&value));
            pairs = after.get(length..).unwrap_or_default();
        }
    }
}

/// Where the first element ends.
fn element_end(text: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `TIME HOST TAG[PID]: MSG` behind a priority, which is optional where there is a time and a tag; a priority alone is
/// enough.
fn rfc3164(priority: Option<u8>, text: &str) -> Option<Header<'_>> {
    let bare = Header { priority, message: text, ..Header::default() };
    let Some((stamp, length)) = Stamp::read(text) else { return priority.map(|_| bare) };
    let Some((host, rest)) = text.get(length..)?.strip_prefix(' ').and_then(|rest| rest.split_once(' ')) else {
        return priority.map(|_| bare);
    };
    if priority.is_none() && super::aws::is_platform(text.get(length..)?.trim_start()) {
        return None;
    }
    if host.is_empty() || host.contains([':', '[', ']', '=', '"', '|']) && host.parse::<std::net::IpAddr>().is_err() {
        return None;
    }
    let line = rest.split('\n').next().unwrap_or_default();
    let (tag, process, start) = tag(line);
    if tag.is_empty() && priority.is_none() {
        return None;
    }
    // Words and a colon stand behind many other stamps, too: behind one with its date first only a process id, or a program
    // that has none, tells a tag.
    let is_told = !process.is_empty() || matches!(tag, "kernel" | "rsyslogd" | "systemd" | "sudo" | "su" | "sshd");
    let is_bsd = text.starts_with(|first: char| first.is_ascii_uppercase());
    if priority.is_none() && !is_bsd && !is_told {
        return None;
    }
    let message = rest.get(start..)?;
    Some(Header { priority, stamp: Some(stamp), host, tag, process, message, ..Header::default() })
}

/// `TAG[PID]: ` or `TAG: `; returns where the message begins.
fn tag(line: &str) -> (&str, &str, usize) {
    let end = line.find([' ', ':', '[']).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let none = ("", "", 0);
    if name.is_empty() || name.starts_with("#0") {
        return none;
    }
    let (process, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((process, rest)) if !process.contains(' ') => (process, rest),
        Some(_) => return none,
        None => ("", rest),
    };
    let Some(rest) = rest.strip_prefix(':') else { return none };
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    (name, process, line.len() - rest.len())
}

/// Whether a tag names a program: relays take parts of a message for one.
fn is_service(tag: &str) -> bool {
    !tag.is_empty() && tag != NIL && !tag.contains(['#', ' ', ':', '\t'])
}

/// rsyslog's `#012` and its like as the bytes they stand for.
fn unescaped(text: &str) -> String {
    text.replace("#012", "\n").replace("#011", "\t").replace("#000", "")
}
