//! What was made of records and is not written yet.
//!
//! Records are processed in any order, and written as far as a partition is done without a gap: then the offset that
//! goes with them covers them, and nothing else. Where not all is written, it is what has waited longest.

use std::collections::VecDeque;
use std::mem;

use tokio::time::Instant;

use super::partitions::{Frontier, Lease};
use super::recorder::Made;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Staged<T> {
    /// By the partition's slot.
    slots: Vec<Stage<T>>,
    products: usize,
}

#[derive(Debug)]
struct Stage<T> {
    epoch: u32,
    /// In offset order.
    entries: VecDeque<Entry<T>>,
}

/// What was made of a record.
#[derive(Debug)]
struct Entry<T> {
    offset: i64,
    since: Instant,
    made: Made<T>,
}

/// What is written together: of each partition a stretch without gaps, and the offset that follows it.
#[derive(Debug)]
pub(super) struct Taken<T> {
    pub(super) parts: Vec<Part<T>>,
}

/// One partition's part.
#[derive(Debug)]
pub(super) struct Part<T> {
    /// Where the partition goes on after it.
    pub(super) frontier: Frontier,
    entries: Vec<Entry<T>>,
}

impl<T> Default for Staged<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), products: 0 }
    }
}

impl<T> Default for Stage<T> {
    fn default() -> Self {
        Self { epoch: 0, entries: VecDeque::new() }
    }
}

impl<T> Stage<T> {
    /// Begins an epoch; how many products of the last one are forgotten.
    fn renew(&mut self, epoch: u32) -> usize {
        let old = mem::replace(self, Self { epoch, entries: VecDeque::new() });
        products_in(&old.entries)
    }
}

impl<T> Staged<T> {
    /// Adds what was made of a record, and waits from `since`.
    pub(super) fn add(&mut self, lease: Lease, made: Made<T>, since: Instant) {
        self.products += usize::from(is_product(&made));
        let stage = self.stage(lease.slot, lease.epoch);
        let place = match stage.entries.back() {
            Some(last) if last.offset > lease.offset => {
                stage.entries.partition_point(|entry| entry.offset < lease.offset)
            }
            _ => stage.entries.len(),
        };
        stage.entries.insert(place, Entry { offset: lease.offset, since, made });
    }

    /// How many products there are.
    pub(super) fn products(&self) -> usize {
        self.products
    }

    /// How many products lie below the frontiers and can be taken, and since when the first of them waits.
    pub(super) fn ready(&self, frontiers: &[Frontier]) -> (usize, Option<Instant>) {
        let below = |frontier: &Frontier| self.below(*frontier).filter(|entry| is_product(&entry.made));
        let products = frontiers.iter().map(|frontier| below(frontier).count()).sum();
        let firsts = frontiers.iter().filter_map(|frontier| below(frontier).next());
        (products, firsts.map(|entry| entry.since).min())
    }

    /// Takes `products` of the products below the frontiers (or all), with all that lies between them: of all partitions
    /// the ones that have waited longest, or a quiet partition could wait behind a busy one for ever.
    pub(super) fn take(&mut self, frontiers: &[Frontier], products: usize) -> Taken<T> {
        let mut parts: Vec<_> = frontiers.iter().map(|&frontier| Part { frontier, entries: Vec::new() }).collect();
        let mut left = products;
        loop {
            let fronts = parts.iter().enumerate();
            let fronts = fronts.filter_map(|(index, part)| Some((self.takeable(part.frontier, left)?, index)));
            let Some((_, oldest)) = fronts.clone().min() else { break };
            let until = fronts.filter(|(_, index)| *index != oldest).map(|(since, _)| since).min();
            let Part { frontier, entries } = &mut parts[oldest];
            while let Some(since) = self.takeable(*frontier, left)
                && until.is_none_or(|until| since <= until)
                && let Some(entry) = self.slots[frontier.slot].entries.pop_front()
            {
                left -= usize::from(is_product(&entry.made));
                entries.push(entry);
            }
        }
        self.products -= products - left;
        // What is left below the frontier is the next to be taken; without any, all of it is done.
        let reached = |part: &mut Part<T>| {
            let next = self.below(part.frontier).next().map(|entry| entry.offset);
            part.frontier.offset = next.unwrap_or(part.frontier.offset);
            next.is_none() || !part.entries.is_empty()
        };
        parts.retain_mut(reached);
        Taken { parts }
    }

    /// What lies below a frontier and belongs to its epoch.
    fn below(&self, frontier: Frontier) -> impl Iterator<Item = &Entry<T>> {
        let stage = self.slots.get(frontier.slot).filter(|stage| stage.epoch == frontier.epoch);
        let entries = stage.into_iter().flat_map(|stage| &stage.entries);
        entries.take_while(move |entry| entry.offset < frontier.offset)
    }

    /// Since when a partition's next entry waits, if it can be taken where `left` products may still be.
    fn takeable(&self, frontier: Frontier, left: usize) -> Option<Instant> {
        let entry = self.below(frontier).next()?;
        (left > 0 || !is_product(&entry.made)).then_some(entry.since)
    }

    /// Puts back what was not written.
    pub(super) fn put_back(&mut self, taken: Taken<T>) {
        for Part { frontier, entries } in taken.parts {
            let stage = self.stage(frontier.slot, frontier.epoch);
            // A newer epoch has begun: the records are read again.
            if stage.epoch != frontier.epoch {
                continue;
            }
            let products = products_in(&entries);
            for entry in entries.into_iter().rev() {
                stage.entries.push_front(entry);
            }
            self.products += products;
        }
    }

    /// Forgets what belongs to an epoch that is over. `epochs` tells the current one of each slot.
    pub(super) fn forget(&mut self, epoch_of: impl Fn(usize) -> u32) {
        for (slot, stage) in self.slots.iter_mut().enumerate() {
            let epoch = epoch_of(slot);
            if stage.epoch != epoch {
                self.products -= stage.renew(epoch);
            }
        }
    }

    /// The stage of a slot, made anew where its epoch is older.
    fn stage(&mut self, slot: usize, epoch: u32) -> &mut Stage<T> {
        while self.slots.len() <= slot {
            self.slots.push(Stage::default());
        }
        let stage = &mut self.slots[slot];
        if stage.epoch < epoch {
            self.products -= stage.renew(epoch);
        }
        stage
    }
}

impl<T> Taken<T> {
    /// What was made of the records, partition by partition and in offset order.
    pub(super) fn made(&self) -> impl Iterator<Item = &Made<T>> {
        self.parts.iter().flat_map(|part| part.entries.iter().map(|entry| &entry.made))
    }
}

fn products_in<'e, T: 'e>(entries: impl IntoIterator<Item = &'e Entry<T>>) -> usize {
    entries.into_iter().filter(|entry| is_product(&entry.made)).count()
}

fn is_product<T>(made: &Made<T>) -> bool {
    matches!(made, Made::Product(_))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use rdkafka::message::OwnedHeaders;

    use super::*;
    use crate::new_record::NewRecord;

    fn lease(slot: usize, offset: i64) -> Lease {
        Lease { slot, epoch: 1, offset, bytes: 1 }
    }

    fn frontier(slot: usize, offset: i64) -> Frontier {
        Frontier { slot, epoch: 1, offset, done: 0 }
    }

    fn products_of(taken: &Taken<i64>) -> Vec<i64> {
        taken.made().filter_map(|made| if let Made::Product(product) = made { Some(*product) } else { None }).collect()
    }

    proptest! {
        #[test]
        fn everything_is_taken_once_in_order_and_with_the_offset_that_covers_it(
            order in Just((0i64..40).collect::<Vec<_>>()).prop_shuffle(),
            steps in prop::collection::vec((0usize..12, any::<bool>()), 1..40),
        ) {
            let (mut staged, now) = (Staged::default(), Instant::now());
            let (mut done, mut written, mut waiting) = (Vec::new(), Vec::new(), order.into_iter());
            for (amount, succeeds) in steps {
                for offset in waiting.by_ref().take(amount) {
                    staged.add(lease(0, offset), Made::Product(offset), now);
                    done.push(offset);
                }
                let reached = (0..40).find(|offset| !done.contains(offset)).unwrap_or(40);
                let (ready, since) = staged.ready(&[frontier(0, reached)]);
                prop_assert_eq!(since.is_some(), ready > 0);
                prop_assert_eq!(ready, usize::try_from(reached).unwrap() - written.len());
                let taken = staged.take(&[frontier(0, reached)], amount);
                let made = products_of(&taken);
                prop_assert_eq!(made.len(), amount.min(ready));
                if succeeds {
                    written.extend(made);
                    if let Some(part) = taken.parts.first() {
                        prop_assert_eq!(part.frontier.offset, i64::try_from(written.len()).unwrap());
                    }
                } else {
                    staged.put_back(taken);
                }
                prop_assert_eq!(staged.products(), done.len() - written.len());
            }
            prop_assert!(written.iter().copied().eq(0..i64::try_from(written.len()).unwrap()));
        }
    }

    proptest! {
        #[test]
        fn what_has_waited_longest_is_taken_first(slots in prop::collection::vec(0usize..4, 1..40), products in 0usize..40) {
            let start = Instant::now();
            let at = |second: usize| start + Duration::from_secs(second as u64);
            let (mut staged, mut ends) = (Staged::default(), [0; 4]);
            for (second, &slot) in slots.iter().enumerate() {
                staged.add(lease(slot, ends[slot]), Made::Product(i64::try_from(second).unwrap()), at(second));
                ends[slot] += 1;
            }
            let frontiers: Vec<_> = ends.iter().enumerate().map(|(slot, &end)| frontier(slot, end)).collect();
            prop_assert_eq!(staged.ready(&frontiers), (slots.len(), Some(start)));
            let mut taken = products_of(&staged.take(&frontiers, products));
            taken.sort_unstable();
            prop_assert!(taken.into_iter().eq(0..i64::try_from(products.min(slots.len())).unwrap()));
            let since = (products < slots.len()).then(|| at(products));
            prop_assert_eq!(staged.ready(&frontiers), (slots.len().saturating_sub(products), since));
        }
    }

    #[test]
    fn what_belongs_to_an_epoch_that_is_over_is_forgotten() {
        let (mut staged, now) = (Staged::default(), Instant::now());
        staged.add(lease(0, 5), Made::Product(5), now);
        staged.add(lease(1, 7), Made::Product(7), now);
        let taken = staged.take(&[frontier(1, 8)], 1);
        staged.forget(|_| 2);
        staged.put_back(taken);
        assert_eq!(staged.products(), 0);
        assert_eq!(staged.ready(&[frontier(0, 6), frontier(1, 8)]), (0, None));
    }

    #[test]
    fn a_letter_goes_with_what_stands_before_it_and_is_no_product() {
        let (mut staged, now) = (Staged::default(), Instant::now());
        staged.add(lease(0, 0), Made::Product(0), now);
        let letter = NewRecord { topic: "t.dlq".into(), key: None, value: None, headers: OwnedHeaders::new() };
        staged.add(lease(0, 1), Made::Letter(letter), now);
        staged.add(lease(0, 2), Made::Product(2), now);
        assert_eq!(staged.ready(&[frontier(0, 3)]), (2, Some(now)));
        let taken = staged.take(&[frontier(0, 3)], 1);
        assert_eq!((taken.made().count(), taken.parts[0].frontier.offset), (2, 2));
    }
}
