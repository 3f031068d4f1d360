//! Acknowledged events, compared with the events that were read.
//!
//! A test records each acknowledged event, and at the end reads the output. The check finds lost events, duplicates,
//! and events out of the order of their key. Events that were read and never acknowledged are no fault: their sender
//! got an error and may retry.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// How many faults of a kind a report lists; the rest are counted.
const MAX_LISTED: usize = 10;

/// One event, as it was acknowledged or as it was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The event's id, unique in the test.
    pub id: String,
    /// The key within which order counts.
    pub key: String,
    /// The event's sequence number within its key: increasing, gaps allowed.
    pub sequence: u64,
}

impl Entry {
    /// An event with this id, key and sequence number.
    pub fn new(id: impl Into<String>, key: impl Into<String>, sequence: u64) -> Self {
        Self { id: id.into(), key: key.into(), sequence }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (key {}, number {})", self.id, self.key, self.sequence)
    }
}

/// The acknowledged events, recorded by senders on many threads.
#[derive(Debug, Default)]
pub struct Journal {
    acknowledged: Mutex<Vec<Entry>>,
}

impl Journal {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records that this event was acknowledged.
    pub fn acknowledge(&self, entry: Entry) {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// The number of acknowledged events.
    pub fn len(&self) -> usize {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether no event was acknowledged.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Compares with the events that were read, in the order of reading within each key.
    pub fn check(&self, read: impl IntoIterator<Item = Entry>) -> Report {
        let acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts: HashMap<String, usize> = HashMap::new();
        let mut latest: HashMap<String, Entry> = HashMap::new();
        let mut report = Report { acknowledged: acknowledged.len(), ..Report::default() };
        for entry in read {
            let count = counts.entry(entry.id.clone()).or_default();
            *count += 1;
            match *count {
                1 => {}
                // Only the first copy counts for the order.
                2 => {
                    report.duplicated.push(entry);
                    continue;
                }
                _ => continue,
            }
            match latest.get(&entry.key) {
                Some(before) if before.sequence > entry.sequence => {
                    report.reordered.push(Reordered { late: entry, after: before.clone() });
                }
                _ => {
                    latest.insert(entry.key.clone(), entry);
                }
            }
        }
        report.read = counts.values().sum();
        report.lost = acknowledged.iter().filter(|entry| !counts.contains_key(&entry.id)).cloned().collect();
        let known: HashSet<&str> = acknowledged.iter().map(|entry| entry.id.as_str()).collect();
        report.unacknowledged = counts.keys().filter(|id| !known.contains(id.as_str())).count();
        report
    }
}

/// An event that was read after a later one of its key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reordered {
    /// The event that was read late.
    pub late: Entry,
    /// The later event that had been read before it.
    pub after: Entry,
}

impl fmt::Display for Reordered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} after number {}", self.late, self.after.sequence)
    }
}

/// The result of a check.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[must_use = "assert on the result"]
pub struct Report {
    /// How many events were acknowledged.
    pub acknowledged: usize,
    /// How many events were read, copies included.
    pub read: usize,
    /// How many distinct events were read that were not acknowledged; no fault.
    pub unacknowledged: usize,
    /// Events that were acknowledged and not read.
    pub lost: Vec<Entry>,
    /// Events that were read more than once, each listed once.
    pub duplicated: Vec<Entry>,
    /// Events that were read after a later one of the same key.
    pub reordered: Vec<Reordered>,
}

impl Report {
    /// # Panics
    /// With the report, if an event was lost or read out of its key's order.
    #[track_caller]
    pub fn assert_at_least_once_in_order(&self) {
        assert!(self.lost.is_empty() && self.reordered.is_empty(), "{self}");
    }

    /// # Panics
    /// With the report, if an event was lost, duplicated or read out of its key's order.
    #[track_caller]
    pub fn assert_exactly_once_in_order(&self) {
        assert!(self.lost.is_empty() && self.reordered.is_empty() && self.duplicated.is_empty(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} events acknowledged, {} read ({} of them never acknowledged)",
            self.acknowledged, self.read, self.unacknowledged
        )?;
        faults(f, "lost", &self.lost)?;
        faults(f, "duplicated", &self.duplicated)?;
        faults(f, "reordered", &self.reordered)
    }
}

fn faults<T: fmt::Display>(f: &mut fmt::Formatter<'_>, kind: &str, found: &[T]) -> fmt::Result {
    writeln!(f, "{kind}: {}", found.len())?;
    for fault in found.iter().take(MAX_LISTED) {
        writeln!(f, "  {fault}")?;
    }
    match found.len().saturating_sub(MAX_LISTED) {
        0 => Ok(()),
        more => writeln!(f, "  and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events named by key and number, as in `a1`.
    fn entries(names: &[&str]) -> Vec<Entry> {
        names.iter().map(|name| Entry::new(*name, &name[..1], name[1..].parse().unwrap())).collect()
    }

    fn journal_of(names: &[&str]) -> Journal {
        let journal = Journal::new();
        for entry in entries(names) {
            journal.acknowledge(entry);
        }
        journal
    }

    #[test]
    fn events_read_as_sent_have_no_fault() {
        let report = journal_of(&["a1", "a2", "b1"]).check(entries(&["b1", "a1", "a2"]));
        report.assert_exactly_once_in_order();
        assert_eq!((report.acknowledged, report.read, report.unacknowledged), (3, 3, 0));
    }

    #[test]
    fn an_acknowledged_event_that_was_not_read_is_lost() {
        let report = journal_of(&["a1", "a2", "b1"]).check(entries(&["a1", "b1"]));
        assert_eq!(report.lost, entries(&["a2"]));
        assert!(report.duplicated.is_empty() && report.reordered.is_empty());
    }

    #[test]
    fn an_event_read_three_times_is_one_duplicate() {
        let report = journal_of(&["a1", "a2"]).check(entries(&["a1", "a2", "a1", "a1"]));
        assert_eq!(report.duplicated, entries(&["a1"]));
        assert_eq!(report.read, 4);
        report.assert_at_least_once_in_order();
    }

    #[test]
    fn redelivered_events_are_duplicated_and_not_reordered() {
        let report = journal_of(&["a1", "a2", "a3"]).check(entries(&["a1", "a2", "a1", "a2", "a3"]));
        assert_eq!(report.duplicated, entries(&["a1", "a2"]));
        report.assert_at_least_once_in_order();
    }

    #[test]
    fn an_event_after_a_later_one_of_its_key_is_reordered() {
        let report = journal_of(&["a1", "a2", "a3"]).check(entries(&["a1", "a3", "a2"]));
        let [late, after] = [2, 3].map(|number| Entry::new(format!("a{number}"), "a", number));
        assert_eq!(report.reordered, [Reordered { late, after }]);
        assert!(report.lost.is_empty());
    }

    #[test]
    fn every_event_after_the_latest_is_reordered() {
        let report = journal_of(&["a1", "a2", "a3"]).check(entries(&["a3", "a1", "a2"]));
        assert_eq!(report.reordered.len(), 2);
    }

    #[test]
    fn order_is_checked_within_a_key_only() {
        journal_of(&["a2", "b1"]).check(entries(&["a2", "b1"])).assert_exactly_once_in_order();
    }

    /// Its order is checked all the same.
    #[test]
    fn an_unacknowledged_event_is_counted_and_no_fault() {
        let report = journal_of(&["a1"]).check(entries(&["a1", "a2"]));
        assert_eq!(report.unacknowledged, 1);
        report.assert_exactly_once_in_order();
        assert_eq!(journal_of(&["a1"]).check(entries(&["a2", "a1"])).reordered.len(), 1);
    }

    #[test]
    #[should_panic(expected = "lost: 1\n  a2 (key a, number 2)")]
    fn a_failed_assertion_names_the_event() {
        journal_of(&["a1", "a2"]).check(entries(&["a1"])).assert_at_least_once_in_order();
    }

    #[test]
    #[should_panic(expected = "duplicated: 1")]
    fn a_duplicate_fails_exactly_once() {
        journal_of(&["a1"]).check(entries(&["a1", "a1"])).assert_exactly_once_in_order();
    }

    #[test]
    fn a_long_report_lists_the_first_faults_and_counts_the_rest() {
        let names: Vec<String> = (0..25).map(|number| format!("a{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let report = journal_of(&names).check([]).to_string();
        assert!(report.contains("lost: 25"), "{report}");
        assert!(report.contains("a9 ") && !report.contains("a10 ") && report.contains("and 15 more"), "{report}");
    }
}
