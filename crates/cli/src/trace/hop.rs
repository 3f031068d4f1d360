//! What is known of an event at one place, at one time.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::terminal_text::one_line;
use crate::text_table::write_table;

/// What happened, in the order in which it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HopKind {
    /// The edge took it.
    Accepted,
    /// It is a record on a topic.
    Kafka,
    /// Its order is settled: paid or declined.
    Paid,
    /// It is a row of the database.
    Stored,
    /// A destination did not take it, in one attempt.
    Attempt,
    /// A destination took it.
    Delivered,
    /// No destination did.
    Failed,
    /// A consumer refused it.
    DeadLetter,
    /// It is a line of a raw object.
    Raw,
    /// It is a row of the lake.
    Cleaned,
}

impl HopKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Kafka => "kafka",
            Self::Attempt => "attempt",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Stored => "stored",
            Self::Paid => "paid",
            Self::DeadLetter => "dead_letter",
            Self::Raw => "raw",
            Self::Cleaned => "cleaned",
        }
    }
}

/// A hop.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hop {
    pub(super) at: Timestamp,
    pub(super) kind: HopKind,
    /// The place, as a person looks for it.
    pub(super) place: String,
    /// What else is known, by name. Nulls are left out.
    pub(super) details: Map<String, Value>,
}

impl Hop {
    /// A hop with these details, an object.
    pub(super) fn new(kind: HopKind, at: Timestamp, place: impl Into<String>, details: Value) -> Self {
        let Value::Object(mut details) = details else { unreachable!("details are an object") };
        details.retain(|_, value| !value.is_null());
        Self { at, kind, place: place.into(), details }
    }
}

/// All hops of an event, the oldest first, each once: two sources may know of one.
pub(super) fn sorted(mut hops: Vec<Hop>) -> Vec<Hop> {
    hops.sort_by(|a, b| (a.at, a.kind, &a.place).cmp(&(b.at, b.kind, &b.place)));
    hops.dedup_by(|later, earlier| {
        (later.at, later.kind, &later.place) == (earlier.at, earlier.kind, &earlier.place)
            && later.details.get("attempt") == earlier.details.get("attempt")
    });
    hops
}

/// The hops as JSON.
pub(super) fn to_json(id: &str, hops: &[Hop]) -> Value {
    let hops = hops.iter().map(|Hop { at, kind, place, details }| {
        let mut hop = Map::new();
        hop.insert("hop".to_owned(), kind.as_str().into());
        hop.insert("at".to_owned(), at.to_string().into());
        hop.insert("where".to_owned(), place.as_str().into());
        hop.extend(details.iter().map(|(name, value)| (name.clone(), value.clone())));
        Value::Object(hop)
    });
    json!({"id": id, "hops": hops.collect::<Vec<_>>()})
}

/// Details of which the place is made: for programs.
const POSITION: [&str; 3] = ["topic", "partition", "offset"];

/// The hops as a table.
pub(super) fn to_text(hops: &[Hop]) -> String {
    let mut text = String::new();
    let rows = hops.iter().map(|Hop { at, kind, place, details }| {
        let mut shown = String::new();
        for (name, value) in details.iter().filter(|(name, _)| !POSITION.contains(&name.as_str())) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            // Writing to a string cannot fail.
            let _ = write!(shown, "{}{name}={}", if shown.is_empty() { "" } else { "  " }, one_line(value.as_bytes()));
        }
        [format!("{at:.3}"), kind.as_str().to_owned(), one_line(place.as_bytes()).to_string(), shown]
    });
    write_table(&mut text, ["AT", "HOP", "WHERE", "DETAILS"], rows);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(kind: HopKind, second: i64, place: &str, details: Value) -> Hop {
        Hop::new(kind, Timestamp::from_second(second).unwrap(), place, details)
    }

    #[test]
    fn hops_are_in_order_and_each_is_there_once() {
        let hops = [
            hop(HopKind::Stored, 3, "db", json!({})),
            hop(HopKind::Kafka, 1, "events-0-1", json!({"key": null})),
            hop(HopKind::Accepted, 1, "/millrace/edge", json!({"from": "Kafka"})),
            hop(HopKind::Accepted, 1, "/millrace/edge", json!({"from": "the database"})),
            hop(HopKind::Attempt, 2, "crm", json!({"attempt": 1})),
            hop(HopKind::Attempt, 2, "crm", json!({"attempt": 2})),
        ];
        let json = to_json("a", &sorted(hops.to_vec()));
        assert_eq!(
            json,
            json!({"id": "a", "hops": [
                {"hop": "accepted", "at": "1970-01-01T00:00:01Z", "where": "/millrace/edge", "from": "Kafka"},
                {"hop": "kafka", "at": "1970-01-01T00:00:01Z", "where": "events-0-1"},
                {"hop": "attempt", "at": "1970-01-01T00:00:02Z", "where": "crm", "attempt": 1},
                {"hop": "attempt", "at": "1970-01-01T00:00:02Z", "where": "crm", "attempt": 2},
                {"hop": "stored", "at": "1970-01-01T00:00:03Z", "where": "db"},
            ]})
        );
    }

    #[test]
    fn what_others_wrote_does_not_reach_the_terminal_as_it_is() {
        let text = to_text(&[hop(HopKind::Attempt, 1, "c\u{1b}[2Jrm", json!({"attempt": 1, "error": "a\nb"}))]);
        assert_eq!(
            text,
            "AT                        HOP      WHERE         DETAILS\n\
             1970-01-01T00:00:01.000Z  attempt  c\\u{1b}[2Jrm  attempt=1  error=a\\nb\n"
        );
    }
}
