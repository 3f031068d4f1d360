//! What a Rust program prints when a thread panics: a line with thread and place, the message, and a backtrace where one is wanted.

use super::{Format, Joins};
use crate::draft::Draft;
use crate::severity::Severity;

const NAME: &str = "rust-panic";

/// What stands below the message.
const BELOW: [&str; 3] = ["stack backtrace:", "note: run with `RUST_BACKTRACE", "note: Some details are omitted"];

fn is_below(line: &str) -> bool {
    BELOW.iter().any(|below| line.starts_with(below))
}

#[derive(Debug)]
pub(super) struct RustPanic;

impl Format for RustPanic {
    fn names(&self) -> Vec<&'static str> {
        vec![NAME]
    }

    fn read(&mut self, text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
        let (head, below) = text.split_once('\n').unwrap_or((text, ""));
        let (thread, place) = head.strip_prefix("thread '")?.split_once(" panicked at ")?;
        let (name, _id) = thread.rsplit_once('\'')?;
        // Before Rust 1.73 the message stood in front of the place.
        let old = place.strip_prefix('\'').and_then(|place| place.rsplit_once("', "));
        let message = old.map_or_else(
            || below.lines().take_while(|line| !is_below(line)).collect::<Vec<_>>().join("\n"),
            |(message, _)| message.to_owned(),
        );
        draft.severity(Some(Severity::FATAL), "panic");
        draft.body(&format!("panic: {message}"));
        draft.known("thread", name);
        draft.exception_type("panic");
        draft.exception_message(&message);
        draft.exception_stacktrace(text);
        Some(NAME)
    }

    fn joins(&self) -> Joins {
        Joins::Traces
    }

    fn continuation<'l>(&self, record: &str, line: &'l str) -> Option<&'l str> {
        let is_message = record.ends_with(':') && !record.contains('\n');
        // `anyhow` puts causes below its message.
        (is_message || line == "Caused by:" || is_below(line)).then_some(line)
    }
}
