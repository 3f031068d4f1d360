//! Android's logcat: `threadtime`, `time` and `brief`.

use super::{Format, Joins};
use crate::draft::Draft;
use crate::severity::Severity;
use crate::stamp::Stamp;

const NAME: &str = "logcat";

#[derive(Debug)]
pub(super) struct Logcat;

impl Format for Logcat {
    fn names(&self) -> Vec<&'static str> {
        vec![NAME]
    }

    fn read(&mut self, text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
        if text.starts_with("[ ") {
            return long(text, draft);
        }
        let Some((stamp, length)) = Stamp::read(text) else { return brief(text, draft) };
        let rest = text.get(length..)?.trim_start();
        if !rest.starts_with(|first: char| first.is_ascii_digit()) {
            draft.stamp(stamp);
            return brief(rest, draft);
        }
        // threadtime: PID TID LETTER TAG: text
        let (pid, rest) = rest.split_once(' ')?;
        let (thread, rest) = rest.trim_start().split_once(' ')?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(pid) || !digits(thread) || rest.as_bytes().get(1) != Some(&b' ') {
            return None;
        }
        let severity = Severity::from_letter(*rest.as_bytes().first()?)?;
        let (tag, message) =
            rest.get(2..)?.split_once(": ").or_else(|| Some((rest.get(2..)?.strip_suffix(':')?, "")))?;
        draft.stamp(stamp);
        draft.severity(Some(severity), &rest[..1]);
        draft.known("pid", pid);
        draft.known("tid", thread);
        draft.known("tag", tag.trim());
        draft.body(message);
        Some(NAME)
    }

    fn joins(&self) -> Joins {
        Joins::Traces
    }

    fn continuation<'l>(&self, record: &str, line: &'l str) -> Option<&'l str> {
        // Of the long form, whose text stands below its header.
        (record.starts_with("[ ") && !line.starts_with("[ ")).then_some(line)
    }
}

/// `[ 01-31 12:00:00.123  1234: 5678 W/tag ]`, and the text below.
fn long(text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
    let inside = text.strip_prefix("[ ")?;
    let (stamp, length) = Stamp::read(inside)?;
    let (header, message) = inside.get(length..)?.split_once(" ]")?;
    let (processes, tag) = header.trim_start().split_once('/')?;
    let (pid, rest) = processes.split_once(':')?;
    let (thread, letter) = rest.trim_start().split_once(' ')?;
    let severity = Severity::from_letter(*letter.as_bytes().first()?)?;
    draft.stamp(stamp);
    draft.severity(Some(severity), letter);
    draft.known("pid", pid);
    draft.known("tid", thread);
    draft.known("tag", tag.trim());
    draft.body(message.strip_prefix('\n').unwrap_or(message));
    Some(NAME)
}

/// `W/tag( 123): text`.
fn brief(text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
    let bytes = text.as_bytes();
    if bytes.get(1) != Some(&b'/') {
        return None;
    }
    let severity = Severity::from_letter(*bytes.first()?)?;
    let (header, message) =
        text.get(2..)?.split_once("): ").or_else(|| Some((text.get(2..)?.strip_suffix("):")?, "")))?;
    let (tag, pid) = header.rsplit_once('(')?;
    let pid = pid.trim();
    if pid.is_empty() || !pid.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    draft.severity(Some(severity), &text[..1]);
    draft.known("tag", tag.trim());
    draft.known("pid", pid);
    draft.body(message);
    Some(NAME)
}
