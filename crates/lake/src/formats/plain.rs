//! What fits no format: the line is the body. `panic: …` and traces of stacks below keep their place.

use super::{Format, Joins};
use crate::draft::Draft;

const NAME: &str = "plain";

#[derive(Debug)]
pub(super) struct Plain;

impl Format for Plain {
    fn names(&self) -> Vec<&'static str> {
        vec![NAME]
    }

    fn read(&mut self, text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
        draft.body(text);
        Some(NAME)
    }

    fn joins(&self) -> Joins {
        Joins::Traces
    }
}
