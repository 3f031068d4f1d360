//! java.util.logging's two lines: `Nov 28, 2026 3:15:00 PM app.Main main` and below it `WARNING: text`.

use super::{Format, Joins, Open};
use crate::draft::Draft;
use crate::severity::Severity;
use crate::stamp::Stamp;

const NAME: &str = "jul";

#[derive(Debug)]
pub(super) struct JavaUtilLogging;

impl Format for JavaUtilLogging {
    fn names(&self) -> Vec<&'static str> {
        vec![NAME]
    }

    fn read(&mut self, text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
        let (stamp, length) = Stamp::read(text)?;
        let rest = text.get(length..)?.strip_prefix(' ')?;
        let (place, message) = rest.split_once('\n').unwrap_or((rest, ""));
        let (class, method) = place.split_once(' ')?;
        // Only this form has its half of the day behind the time.
        let is_half = matches!(text.get(..length)?.as_bytes().last(), Some(b'M'));
        if !is_half || class.is_empty() || !class.contains('.') {
            return None;
        }
        draft.stamp(stamp);
        draft.attribute("logger", Some(class));
        draft.known("method", method);
        match message.split_once(": ").and_then(|(level, message)| Some((level, Severity::from_word(level)?, message)))
        {
            Some((level, severity, message)) => {
                draft.severity(Some(severity), level);
                draft.body(message);
            }
            None => draft.body(message),
        }
        Some(NAME)
    }

    fn joins(&self) -> Joins {
        Joins::Everything
    }

    fn is_open(&self, record: Open) -> bool {
        record.lines == 1
    }
}
