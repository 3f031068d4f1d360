//! What fits no format: the line is the body. `panic: …` and traces of stacks below keep their place.

use super::{Format, Joins};
use crate::draft::Draft;

#[derive(Debug)]
pub(super) struct Plain;

impl Format for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn read(&mut self, text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
        draft.body(text);
        Some(self.name())
    }

    fn joins(&self) -> Joins {
        Joins::Traces
    }
}
