//! glog and klog: `I1129 00:06:25.751199    4823 main.go:92] text`, the year in front of the month in glog's newer form.

use super::logfmt::Fields;
use super::{Format, Joins};
use crate::draft::Draft;
use crate::severity::Severity;
use crate::stamp::Stamp;

const NAME: &str = "glog";

#[derive(Debug)]
pub(super) struct Glog;

impl Format for Glog {
    fn names(&self) -> Vec<&'static str> {
        vec![NAME]
    }

    fn read(&mut self, text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
        let letter = *text.as_bytes().first()?;
        let severity = matches!(letter, b'I' | b'W' | b'E' | b'F').then(|| Severity::from_letter(letter))?;
        let (stamp, length) = Stamp::read_glog(text.get(1..)?)?;
        let rest = text.get(1 + length..)?.trim_start_matches(' ');
        let (header, _) = rest.split_once('\n').unwrap_or((rest, ""));
        let close = header.find("] ").or_else(|| header.ends_with(']').then(|| header.len() - 1))?;
        let (thread, caller) = header.get(..close)?.split_once(' ')?;
        draft.severity(severity, text.get(..1)?);
        draft.stamp(stamp);
        draft.known("thread", thread);
        draft.known("caller", caller.trim());
        let message = rest.get(close + 1..)?;
        structured(message.strip_prefix(' ').unwrap_or(message), draft);
        Some(NAME)
    }

    fn joins(&self) -> Joins {
        Joins::Everything
    }
}

/// klog's `"text" key="value" …`: the text is the body, the pairs attributes; any other message is the body as it is.
fn structured(message: &str, draft: &mut Draft<'_>) {
    if message.starts_with('"')
        && let Some((text, rest)) = super::logfmt::quoted(message)
    {
        let ends = rest.is_empty() || rest.starts_with(' ');
        if ends && pairs(rest, &mut |_, _| {}) {
            draft.body(&text);
            let mut fields = Fields::new(draft);
            pairs(rest, &mut |key, value| fields.pair(key, Some(value.into())));
            return;
        }
    }
    draft.body(message);
}

/// Reads ` key=value` pairs. A value of several lines stands between `<` at the line's end and ` >`, each line behind a TAB.
fn pairs(text: &str, found: &mut dyn FnMut(&str, &str)) -> bool {
    let mut rest = text.trim_start_matches([' ', '\n']);
    while !rest.is_empty() {
        let Some((key, after)) = rest.split_once('=') else { return false };
        if key.is_empty() || key.contains([' ', '"', '\n']) {
            return false;
        }
        if let Some(lines) = after.strip_prefix("<\n") {
            let (value, after) = match lines.find("\n >") {
                Some(end) => (&lines[..end], &lines[end + 3..]),
                None => (lines, ""),
            };
            let value: Vec<&str> = value.split('\n').map(|line| line.strip_prefix('\t').unwrap_or(line)).collect();
            found(key, &value.join("\n"));
            rest = after.trim_start_matches(' ');
        } else if after.starts_with('"') {
            let Some((value, after)) = super::logfmt::quoted(after) else { return false };
            found(key, &value);
            rest = after.trim_start_matches(' ');
        } else {
            let end = super::logfmt::bare_end(after);
            found(key, &after[..end]);
            rest = after[end..].trim_start_matches(' ');
        }
    }
    true
}
