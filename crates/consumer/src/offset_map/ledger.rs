//! The offset ledger of one partition: what is in flight, and how far everything is done.
//!
//! Records of a partition are opened in the order they were polled and closed in any order. The *frontier* is the
//! offset below which every record was closed: the only offset that may be committed. It never goes back, and it
//! never passes a record that is still open. What is closed beyond it is [committed](Ledger::done) with it, and is not
//! opened again where the partition resumes from there.

use std::collections::VecDeque;

use thiserror::Error;

use crate::offset_map::CompletedOffsets;

/// A record was opened or closed out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum LedgerError {
    /// A record at or below one that was opened before.
    #[error("offset {offset} came after offset {last}")]
    OutOfOrder {
        /// The offset to be opened.
        offset: i64,
        /// The highest offset opened so far.
        last: i64,
    },
    /// A record that was never opened, or is closed already.
    #[error("offset {0} is not open")]
    NotOpen(i64),
}

/// Of closed records behind an open one, this many are kept, and as many as there are open ones: where no entry is
/// missing, others are found without a search. Tests keep few, so that short runs drop some.
const KEPT_CLOSED: usize = if cfg!(test) { 4 } else { 4_096 };

#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: i64,
    closed: bool,
}

/// The offset ledger of one partition.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Opened records in offset order; the first one is open, or the queue is empty. Those that are missing are closed.
    entries: VecDeque<Entry>,
    last_opened: Option<i64>,
    open: usize,
    /// What was done before this ledger began.
    before: CompletedOffsets,
}

impl Ledger {
    /// Goes on where `done` ends.
    pub(crate) fn resume(done: CompletedOffsets) -> Self {
        Self { last_opened: Some(done.frontier() - 1), before: done, ..Self::default() }
    }

    /// Opens the next record. Offsets grow, but may leave gaps: compaction and transactions take offsets away. False
    /// where it was done before: there is nothing to close.
    ///
    /// # Errors
    /// [`LedgerError::OutOfOrder`] where `offset` does not lie above all opened before.
    pub(crate) fn open(&mut self, offset: i64) -> Result<bool, LedgerError> {
        if let Some(last) = self.last_opened
            && offset <= last
        {
            return Err(LedgerError::OutOfOrder { offset, last });
        }
        self.last_opened = Some(offset);
        let is_new = !self.before.contains(offset);
        if is_new {
            self.entries.push_back(Entry { offset, closed: false });
            self.open += 1;
        }
        Ok(is_new)
    }

    /// Closes a record: it was processed, or its dead letter was acknowledged.
    ///
    /// # Errors
    /// [`LedgerError::NotOpen`] where no such record is open.
    pub(crate) fn close(&mut self, offset: i64) -> Result<(), LedgerError> {
        let index = self.index_of(offset).ok_or(LedgerError::NotOpen(offset))?;
        let entry = &mut self.entries[index];
        if entry.closed {
            return Err(LedgerError::NotOpen(offset));
        }
        entry.closed = true;
        self.open -= 1;
        while self.entries.front().is_some_and(|entry| entry.closed) {
            self.entries.pop_front();
        }
        // A record that stays open for long must not make a list of all that came after it.
        if self.entries.len() > 2 * self.open + KEPT_CLOSED {
            self.entries.retain(|entry| !entry.closed);
        }
        Ok(())
    }

    /// Notes that nothing below `offset` is still to be opened: what lies there and was not opened needs no work, such
    /// as the markers of transactions, or records that were compacted away.
    pub(crate) fn skip_to(&mut self, offset: i64) {
        self.last_opened = self.last_opened.max(Some(offset - 1));
    }

    /// The offset to commit: the first one not known to be done. `None` until a record was opened or skipped.
    pub(crate) fn frontier(&self) -> Option<i64> {
        match self.entries.front() {
            Some(first) => Some(first.offset),
            // What was done before may begin there, and need not have been read again.
            None => self.last_opened.map(|last| self.before.first_open(last + 1)),
        }
    }

    /// The frontier, and what is closed beyond it: of more stretches than a [text](CompletedOffsets::text) can hold, the lowest.
    /// `None` until a record was opened or skipped.
    pub(crate) fn done(&self) -> Option<CompletedOffsets> {
        let mut done = CompletedOffsets::below(self.frontier()?);
        for (start, end) in self.before.runs() {
            done.insert(start, end);
        }
        // What lies between two open records is closed, or no record.
        let ends = self.entries.iter().filter(|entry| !entry.closed).map(|entry| entry.offset);
        let mut start = done.frontier();
        for end in ends.chain(self.last_opened.map(|last| last + 1)).take(CompletedOffsets::MAX_RUNS + 1) {
            done.insert(start, end);
            start = end + 1;
        }
        Some(done)
    }

    /// How many records are open.
    #[cfg(test)]
    pub(crate) fn in_flight(&self) -> usize {
        self.open
    }

    /// Where the entry of an offset stands. Without gaps it stands at its distance from the first; with gaps, before.
    fn index_of(&self, offset: i64) -> Option<usize> {
        let distance = usize::try_from(offset.checked_sub(self.entries.front()?.offset)?).ok()?;
        match self.entries.get(distance) {
            Some(entry) if entry.offset == offset => Some(distance),
            _ => self.entries.binary_search_by_key(&offset, |entry| entry.offset).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    /// The plainest account of the same thing: every offset ever opened or skipped, and whether it is closed.
    #[derive(Default)]
    struct Model(BTreeMap<i64, bool>, BTreeSet<i64>);

    impl Model {
        fn frontier(&self) -> Option<i64> {
            let first_open = self.0.iter().find(|(_, closed)| !**closed).map(|(offset, _)| *offset);
            first_open.or_else(|| self.0.keys().last().map(|last| last + 1))
        }

        fn skip_to(&mut self, offset: i64) {
            let Self(records, skipped) = self;
            records.entry(offset - 1).or_insert_with(|| skipped.insert(offset - 1));
        }

        /// The records from `offset` on.
        fn records(&self, offset: i64) -> VecDeque<i64> {
            self.0.range(offset..).map(|(offset, _)| *offset).filter(|offset| !self.1.contains(offset)).collect()
        }

        fn end(&self) -> i64 {
            self.0.keys().last().map_or(0, |last| last + 1)
        }

        fn open(&self) -> Vec<i64> {
            self.0.iter().filter(|(_, closed)| !**closed).map(|(offset, _)| *offset).collect()
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Open { gap: i64 },
        Skip { ahead: i64 },
        Restart,
        Close { pick: prop::sample::Index },
        CloseAny { offset: i64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => prop_oneof![9 => Just(1i64), 1 => -2i64..50].prop_map(|gap| Step::Open { gap }),
            1 => (1i64..5).prop_map(|ahead| Step::Skip { ahead }),
            1 => Just(Step::Restart),
            4 => any::<prop::sample::Index>().prop_map(|pick| Step::Close { pick }),
            1 => (-5i64..400).prop_map(|offset| Step::CloseAny { offset }),
        ]
    }

    #[test]
    fn an_open_record_keeps_no_list_of_closed_ones() {
        let mut ledger = Ledger::default();
        for offset in 0..10_000 {
            ledger.open(offset).unwrap();
            if offset % 1_000 != 0 {
                ledger.close(offset).unwrap();
            }
        }
        assert!(ledger.entries.len() <= 2 * 10 + KEPT_CLOSED);
        assert_eq!(ledger.done().unwrap().runs().nth(3), Some((3_001, 4_000)));
        for offset in (0..10).rev().map(|thousand| thousand * 1_000) {
            assert_eq!(ledger.close(offset), Ok(()));
        }
        assert_eq!((ledger.frontier(), ledger.in_flight()), (Some(10_000), 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]
        #[test]
        fn the_ledger_agrees_with_a_simple_model(start in 10i64..100, steps in prop::collection::vec(step(), 0..120)) {
            let (mut ledger, mut model, mut last) = (Ledger::default(), Model::default(), start);
            // What is still to be read again after a restart.
            let mut again = VecDeque::new();
            for step in steps {
                let before = ledger.frontier();
                match step {
                    Step::Open { .. } | Step::Skip { .. } if !again.is_empty() => {
                        for offset in again.drain(..again.len().min(3)) {
                            prop_assert_eq!(ledger.open(offset), Ok(!model.0[&offset]));
                        }
                        if again.is_empty() {
                            ledger.skip_to(model.end());
                        }
                    }
                    Step::Open { gap } => {
                        let offset = last + gap;
                        let in_order = model.0.keys().last().is_none_or(|highest| offset > *highest);
                        prop_assert_eq!(ledger.open(offset).is_ok(), in_order);
                        if in_order {
                            model.0.insert(offset, false);
                            last = offset;
                        }
                    }
                    Step::Skip { ahead } => {
                        last += ahead;
                        ledger.skip_to(last);
                        model.skip_to(last);
                    }
                    // Another process goes on from what was told.
                    Step::Restart => if let Some(done) = ledger.done() {
                        again = model.records(done.frontier());
                        ledger = Ledger::resume(done);
                        if again.is_empty() {
                            ledger.skip_to(model.end());
                        }
                    }
                    Step::Close { pick } => {
                        let mut open = model.open();
                        open.retain(|offset| !again.contains(offset));
                        if !open.is_empty() {
                            let offset = open[pick.index(open.len())];
                            prop_assert_eq!(ledger.close(offset), Ok(()));
                            model.0.insert(offset, true);
                        }
                    }
                    Step::CloseAny { offset } => {
                        let was_open = model.0.get(&offset) == Some(&false) && !again.contains(&offset);
                        prop_assert_eq!(ledger.close(offset).is_ok(), was_open);
                        if was_open {
                            model.0.insert(offset, true);
                        }
                    }
                }
                prop_assert!(ledger.frontier() >= before, "the frontier went back");
                if again.is_empty() {
                    prop_assert_eq!(ledger.frontier(), model.frontier());
                    prop_assert_eq!(ledger.in_flight(), model.open().len());
                }
                let told = ledger.done();
                prop_assert_eq!(told.as_ref().map(CompletedOffsets::frontier), ledger.frontier());
                for offset in model.records(0) {
                    prop_assert_eq!(told.as_ref().map(|told| told.contains(offset)), Some(model.0[&offset]));
                }
            }
        }
    }
}
