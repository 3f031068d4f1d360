//! What a service's rows of a minute come to.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::latency::Latencies;

/// Seconds in a window.
pub const WINDOW_SECONDS: i64 = 60;

/// Rows of a raw object: where to look at what a window is made of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// The raw object or file.
    pub object: String,
    /// The first line there, from 1.
    pub first_line: u64,
    /// The last line there.
    pub last_line: u64,
}

/// The rows of a service in a minute of their own time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Window {
    /// How many there are.
    pub count: u64,
    /// How many of them are errors: of severity `ERROR` or above, or with an HTTP status of 500 or above.
    pub errors: u64,
    /// How long what they tell of took.
    pub latencies: Latencies,
    /// Of the object that has most of the rows, where they are.
    pub rows: Option<Weighed>,
    /// Of the object that has most of the errors, where these are.
    pub error_rows: Option<Weighed>,
    /// Where the row with the longest latency is.
    pub slowest: Option<Weighed>,
}

/// A place, and what it was chosen for: of several the one with the greatest weight is kept, of equal ones the last by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighed {
    /// What it is compared by: a number of rows, or a latency.
    pub weight: u64,
    /// The place.
    pub place: Place,
}

/// Windows by their first second (Unix) and service.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Windows(pub BTreeMap<(i64, String), Window>);

impl Window {
    /// Errors among the rows, from 0 to 1.
    pub fn error_rate(&self) -> f64 {
        error_rate(self.errors, self.count)
    }

    /// Adds the rows of another file. The order in which files are added does not matter.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.errors += other.errors;
        self.latencies.merge(&other.latencies);
        keep_greatest(&mut self.rows, other.rows.as_ref());
        keep_greatest(&mut self.error_rows, other.error_rows.as_ref());
        keep_greatest(&mut self.slowest, other.slowest.as_ref());
    }
}

/// Errors among rows, from 0 to 1.
#[expect(clippy::cast_precision_loss)] // counts are far below 2^52
pub(super) fn error_rate(errors: u64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { errors as f64 / count as f64 }
}

pub(super) fn keep_greatest(kept: &mut Option<Weighed>, other: Option<&Weighed>) {
    let Some(other) = other else { return };
    let is_greater = kept.as_ref().is_none_or(|kept| (kept.weight, &kept.place) < (other.weight, &other.place));
    if is_greater {
        *kept = Some(other.clone());
    }
}

impl Windows {
    /// Adds those of another file.
    pub fn merge(&mut self, other: Self) {
        for (key, window) in other.0 {
            match self.0.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert(window);
                }
                Entry::Occupied(mut entry) => entry.get_mut().merge(&window),
            }
        }
    }
}
