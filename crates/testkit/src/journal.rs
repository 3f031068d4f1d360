//! What was acknowledged, compared with what was read.
//!
//! A test writes down each acknowledged event, and reads the other end when all is over. The checker says which
//! events were lost, which came more than once, and which keys saw their events in another order than they were sent
//! in. Events that were read but never acknowledged are no fault: the sender was told to ask again.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// How many faults of a kind a report names; the rest are counted.
const NAMED: usize = 10;

/// One event, as it was acknowledged or as it was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The event's id, unique in the test.
    pub id: String,
    /// The key within which order counts.
    pub key: String,
    /// The event's place among those of its key in the order they were sent: it rises, gaps are fine.
    pub sequence: u64,
}

impl Entry {
    /// An event with this id, key and place.
    pub fn new(id: impl Into<String>, key: impl Into<String>, sequence: u64) -> Self {
        Self { id: id.into(), key: key.into(), sequence }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (key {}, number {})", self.id, self.key, self.sequence)
    }
}

/// The acknowledged events; senders on many threads write to it.
#[derive(Debug, Default)]
pub struct Journal {
    acknowledged: Mutex<Vec<Entry>>,
}

impl Journal {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes down that this event was acknowledged.
    pub fn acknowledge(&self, entry: Entry) {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// How many events were acknowledged.
    pub fn len(&self) -> usize {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Compares with what was read, which is in the order of reading within each key.
    pub fn check(&self, read: impl IntoIterator<Item = Entry>) -> Verdict {
        let acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        let mut copies: HashMap<String, usize> = HashMap::new();
        let mut furthest: HashMap<String, Entry> = HashMap::new();
        let mut verdict = Verdict { acknowledged: acknowledged.len(), ..Verdict::default() };
        for entry in read {
            let copy = copies.entry(entry.id.clone()).or_default();
            *copy += 1;
            match *copy {
                1 => {}
                // A copy is late by nature: only its first coming counts for the order.
                2 => {
                    verdict.duplicated.push(entry);
                    continue;
                }
                _ => continue,
            }
            match furthest.get(&entry.key) {
                Some(before) if before.sequence > entry.sequence => {
                    verdict.reordered.push(Reordered { late: entry, after: before.clone() });
                }
                _ => {
                    furthest.insert(entry.key.clone(), entry);
                }
            }
        }
        verdict.read = copies.values().sum();
        verdict.lost = acknowledged.iter().filter(|entry| !copies.contains_key(&entry.id)).cloned().collect();
        let known: HashSet<&str> = acknowledged.iter().map(|entry| entry.id.as_str()).collect();
        verdict.unacknowledged = copies.keys().filter(|id| !known.contains(id.as_str())).count();
        verdict
    }
}

/// An event that was read after a later one of its key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reordered {
    /// The event that came late.
    pub late: Entry,
    /// The later event that had been read before it.
    pub after: Entry,
}

impl fmt::Display for Reordered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} after number {}", self.late, self.after.sequence)
    }
}

/// What the checker found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[must_use = "a verdict that nobody asserts on proves nothing"]
pub struct Verdict {
    /// How many events were acknowledged.
    pub acknowledged: usize,
    /// How many events were read, copies included.
    pub read: usize,
    /// How many different events were read that nobody acknowledged; no fault.
    pub unacknowledged: usize,
    /// Events that were acknowledged and not read.
    pub lost: Vec<Entry>,
    /// Events that were read more than once, each named once.
    pub duplicated: Vec<Entry>,
    /// Events that came after a later one of the same key.
    pub reordered: Vec<Reordered>,
}

impl Verdict {
    /// # Panics
    /// With the report, where an event was lost or came out of its key's order.
    #[track_caller]
    pub fn assert_at_least_once_in_order(&self) {
        assert!(self.lost.is_empty() && self.reordered.is_empty(), "{self}");
    }

    /// # Panics
    /// With the report, where an event was lost, came twice or came out of its key's order.
    #[track_caller]
    pub fn assert_exactly_once_in_order(&self) {
        assert!(self.lost.is_empty() && self.reordered.is_empty() && self.duplicated.is_empty(), "{self}");
    }
}

impl fmt::Display for Verdict {
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
    for fault in found.iter().take(NAMED) {
        writeln!(f, "  {fault}")?;
    }
    match found.len().saturating_sub(NAMED) {
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
    fn what_was_read_as_it_was_sent_has_no_fault() {
        let verdict = journal_of(&["a1", "a2", "b1"]).check(entries(&["b1", "a1", "a2"]));
        verdict.assert_exactly_once_in_order();
        assert_eq!((verdict.acknowledged, verdict.read, verdict.unacknowledged), (3, 3, 0));
    }

    #[test]
    fn an_acknowledged_event_that_was_not_read_is_lost() {
        let verdict = journal_of(&["a1", "a2", "b1"]).check(entries(&["a1", "b1"]));
        assert_eq!(verdict.lost, entries(&["a2"]));
        assert!(verdict.duplicated.is_empty() && verdict.reordered.is_empty());
    }

    #[test]
    fn an_event_read_three_times_is_one_duplicate() {
        let verdict = journal_of(&["a1", "a2"]).check(entries(&["a1", "a2", "a1", "a1"]));
        assert_eq!(verdict.duplicated, entries(&["a1"]));
        assert_eq!(verdict.read, 4);
        verdict.assert_at_least_once_in_order();
    }

    #[test]
    fn a_redelivered_stretch_is_duplicated_and_not_reordered() {
        let verdict = journal_of(&["a1", "a2", "a3"]).check(entries(&["a1", "a2", "a1", "a2", "a3"]));
        assert_eq!(verdict.duplicated, entries(&["a1", "a2"]));
        verdict.assert_at_least_once_in_order();
    }

    #[test]
    fn an_event_after_a_later_one_of_its_key_is_reordered() {
        let verdict = journal_of(&["a1", "a2", "a3"]).check(entries(&["a1", "a3", "a2"]));
        let [late, after] = [2, 3].map(|number| Entry::new(format!("a{number}"), "a", number));
        assert_eq!(verdict.reordered, [Reordered { late, after }]);
        assert!(verdict.lost.is_empty());
    }

    #[test]
    fn every_event_behind_the_furthest_is_reordered() {
        let verdict = journal_of(&["a1", "a2", "a3"]).check(entries(&["a3", "a1", "a2"]));
        assert_eq!(verdict.reordered.len(), 2);
    }

    #[test]
    fn order_counts_within_a_key_only() {
        journal_of(&["a2", "b1"]).check(entries(&["a2", "b1"])).assert_exactly_once_in_order();
    }

    #[test]
    fn an_event_that_nobody_acknowledged_is_counted_and_no_fault_but_its_order_counts() {
        let verdict = journal_of(&["a1"]).check(entries(&["a1", "a2"]));
        assert_eq!(verdict.unacknowledged, 1);
        verdict.assert_exactly_once_in_order();
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
    fn a_long_report_names_the_first_faults_and_counts_the_others() {
        let names: Vec<String> = (0..25).map(|number| format!("a{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let report = journal_of(&names).check([]).to_string();
        assert!(report.contains("lost: 25"), "{report}");
        assert!(report.contains("a9 ") && !report.contains("a10 ") && report.contains("and 15 more"), "{report}");
    }
}
