//! What a Go program prints when it ends: `panic: …` or `fatal error: …`, and the traces of its goroutines.

use super::{Format, Joins};
use crate::draft::Draft;
use crate::severity::Severity;

const NAME: &str = "go-panic";

#[derive(Debug)]
pub(super) struct GoPanic;

impl Format for GoPanic {
    fn names(&self) -> Vec<&'static str> {
        vec![NAME]
    }

    fn read(&mut self, text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
        let (kind, _) = text.split_once(": ")?;
        if !matches!(kind, "panic" | "fatal error") {
            return None;
        }
        draft.severity(Some(Severity::FATAL), kind);
        draft.body(text);
        Some(NAME)
    }

    fn joins(&self) -> Joins {
        Joins::Traces
    }
}
