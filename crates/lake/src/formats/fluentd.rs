//! Fluentd's records: `TIME TAG: {json}` on its output, `TIME<TAB>TAG<TAB>{json}` in its files.

use super::Format;
use super::json::Json;
use crate::draft::Draft;
use crate::stamp::Stamp;

const NAME: &str = "fluentd";

#[derive(Debug, Default)]
pub(super) struct Fluentd {
    json: Json,
}

impl Format for Fluentd {
    fn names(&self) -> Vec<&'static str> {
        vec![NAME]
    }

    fn read(&mut self, text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
        let (stamp, length) = Stamp::read(text)?;
        let rest = text.get(length..)?;
        let (tag, record) = match rest.strip_prefix('\t') {
            Some(rest) => rest.split_once('\t')?,
            None => rest.strip_prefix(' ')?.split_once(": ")?,
        };
        if tag.is_empty() || tag.contains(' ') || !record.starts_with('{') {
            return None;
        }
        self.json.read(record, draft)?;
        if !draft.has_time() {
            draft.stamp(stamp);
        }
        draft.attribute("tag", Some(tag));
        Some(NAME)
    }
}
