//! What the lake has of an event: the line in a raw object, and the row.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use millrace_objects::Objects;
use millrace_stages::{RowPlace, StageError, hour_of, hours_of_object, line_by_id, rows_by_id, written};
use serde_json::json;

use super::hop::{Hop, HopKind};
use crate::progress_bar;

/// How long after a record was written its line is looked for: a shipper may have been behind.
const SHIPPED_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// How long before: lines of a partition are in the hour of the first that is shipped with them.
const SHIPPED_BEFORE: SignedDuration = SignedDuration::from_hours(1);

/// The longest part of a message that is shown, in bytes.
const BODY_SHOWN: usize = 200;

/// When an event may have happened, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Times {
    /// The times of its rows.
    pub(super) rows: Vec<Timestamp>,
    /// From when to when it may have been accepted, or written to its topic.
    pub(super) accepted: Option<(Timestamp, Timestamp)>,
}

impl Times {
    /// Whether nothing is known: the lake is too large to be searched as a whole.
    pub(super) fn are_unknown(&self) -> bool {
        self.rows.is_empty() && self.accepted.is_none()
    }
}

/// Looks for rows where they may be by their times; without any, for the line, whose object says where its rows are.
pub(super) async fn search(objects: &Objects, id: &str, times: &Times, now: Timestamp) -> Result<Vec<Hop>, StageError> {
    let near = times.accepted.map(|(from, until)| hour_of(from) - 1..=hour_of(until) + 1);
    let hours: BTreeSet<i64> = times.rows.iter().map(|&time| hour_of(time)).chain(near.into_iter().flatten()).collect();
    let mut rows = rows_by_id(objects, hours, id).await?;
    let mut hops = Vec::new();
    if rows.is_empty()
        && let Some((accepted, latest)) = times.accepted
    {
        let until = latest.saturating_add(SHIPPED_WITHIN).unwrap_or(Timestamp::MAX).min(now);
        let from = accepted.saturating_sub(SHIPPED_BEFORE).unwrap_or(Timestamp::MIN);
        let bar = progress_bar::on_stderr(None);
        let searched = hour_of(from)..=hour_of(until);
        let line = line_by_id(objects, searched, accepted, id, |object| bar.set_message(object.to_owned())).await;
        bar.finish_and_clear();
        if let Some(line) = line? {
            rows = rows_by_id(objects, hours_of_object(objects, &line.object).await?, id).await?;
            hops.push(Hop::new(HopKind::Raw, line.written, line.object, json!({"line": line.line})));
        }
    }
    for RowPlace { file, written: at, row } in rows {
        if hops.iter().all(|hop| hop.place != row.source)
            && let Some(at) = written(objects, &row.source).await?
        {
            hops.push(Hop::new(HopKind::Raw, at, row.source.as_str(), json!({"line": row.line})));
        }
        let time = Timestamp::from_nanosecond(row.time_ns.into()).ok().map(|time| time.to_string());
        let body = &row.body[..row.body.floor_char_boundary(BODY_SHOWN)];
        let details = json!({
            "time": time, "service": row.service, "severity_text": row.severity_text, "severity_number": row.severity_number, "body": body, "source": row.source,
            "line": row.line,
        });
        hops.push(Hop::new(HopKind::Cleaned, at, file, details));
    }
    Ok(hops)
}
