//! Outputs that are not written yet.
//!
//! Records are processed in any order, and their outputs are written up to the low watermark of their partition: the
//! offset that goes with them covers them, and nothing else. Where not all are written, the oldest go first.

use std::collections::VecDeque;
use std::mem;

use tokio::time::Instant;

use crate::assignment::{Frontier, RecordHandle};
use crate::commit::Output;

/// Buffers outputs until a transaction writes them.
#[derive(Debug)]
pub(crate) struct TransactionBuffer<T> {
    /// By the partition's slot.
    slots: Vec<PartitionBuffer<T>>,
    products: usize,
}

#[derive(Debug)]
struct PartitionBuffer<T> {
    epoch: u32,
    /// In offset order.
    entries: VecDeque<Entry<T>>,
}

/// The output of a record.
#[derive(Debug)]
struct Entry<T> {
    offset: i64,
    since: Instant,
    output: Output<T>,
}

/// What one transaction writes: of each partition a contiguous run, and the offset that follows it.
#[derive(Debug)]
pub(crate) struct Batch<T> {
    pub(crate) parts: Vec<PartitionBatch<T>>,
}

/// One partition's part of a batch.
#[derive(Debug)]
pub(crate) struct PartitionBatch<T> {
    /// The partition's offset after it.
    pub(crate) frontier: Frontier,
    entries: Vec<Entry<T>>,
}

impl<T> Default for TransactionBuffer<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), products: 0 }
    }
}

impl<T> Default for PartitionBuffer<T> {
    fn default() -> Self {
        Self { epoch: 0, entries: VecDeque::new() }
    }
}

impl<T> PartitionBuffer<T> {
    /// Begins an epoch; how many products of the last one are dropped.
    fn renew(&mut self, epoch: u32) -> usize {
        let old = mem::replace(self, Self { epoch, entries: VecDeque::new() });
        products_in(&old.entries)
    }
}

impl<T> TransactionBuffer<T> {
    /// Adds the output of a record, which waits since `since`.
    pub(crate) fn add(&mut self, handle: RecordHandle, output: Output<T>, since: Instant) {
        self.products += usize::from(is_product(&output));
        let buffer = self.buffer(handle.slot, handle.epoch);
        let place = match buffer.entries.back() {
            Some(last) if last.offset > handle.offset => {
                buffer.entries.partition_point(|entry| entry.offset < handle.offset)
            }
            _ => buffer.entries.len(),
        };
        buffer.entries.insert(place, Entry { offset: handle.offset, since, output });
    }

    /// How many products there are.
    pub(crate) fn products(&self) -> usize {
        self.products
    }

    /// How many products lie below the frontiers and can be batch, and since when the first of them waits.
    pub(crate) fn ready(&self, frontiers: &[Frontier]) -> (usize, Option<Instant>) {
        let below = |frontier: &Frontier| self.below(*frontier).filter(|entry| is_product(&entry.output));
        let products = frontiers.iter().map(|frontier| below(frontier).count()).sum();
        let firsts = frontiers.iter().filter_map(|frontier| below(frontier).next());
        (products, firsts.map(|entry| entry.since).min())
    }

    /// Takes `products` of the products below the frontiers (or all), with all outputs between them: of all partitions the
    /// ones that have waited longest, or a quiet partition could wait behind a busy one for ever.
    pub(crate) fn take(&mut self, frontiers: &[Frontier], products: usize) -> Batch<T> {
        let mut parts: Vec<_> =
            frontiers.iter().map(|&frontier| PartitionBatch { frontier, entries: Vec::new() }).collect();
        let mut left = products;
        loop {
            let fronts = parts.iter().enumerate();
            let fronts = fronts.filter_map(|(index, part)| Some((self.takeable(part.frontier, left)?, index)));
            let Some((_, oldest)) = fronts.clone().min() else { break };
            let until = fronts.filter(|(_, index)| *index != oldest).map(|(since, _)| since).min();
            let PartitionBatch { frontier, entries } = &mut parts[oldest];
            while let Some(since) = self.takeable(*frontier, left)
                && until.is_none_or(|until| since <= until)
                && let Some(entry) = self.slots[frontier.slot].entries.pop_front()
            {
                left -= usize::from(is_product(&entry.output));
                entries.push(entry);
            }
        }
        self.products -= products - left;
        // What is left below the frontier is the next to be batch; without any, all of it is done.
        let reached = |part: &mut PartitionBatch<T>| {
            let next = self.below(part.frontier).next().map(|entry| entry.offset);
            part.frontier.offset = next.unwrap_or(part.frontier.offset);
            next.is_none() || !part.entries.is_empty()
        };
        parts.retain_mut(reached);
        Batch { parts }
    }

    /// What lies below a frontier and belongs to its epoch.
    fn below(&self, frontier: Frontier) -> impl Iterator<Item = &Entry<T>> {
        let buffer = self.slots.get(frontier.slot).filter(|buffer| buffer.epoch == frontier.epoch);
        let entries = buffer.into_iter().flat_map(|buffer| &buffer.entries);
        entries.take_while(move |entry| entry.offset < frontier.offset)
    }

    /// Since when a partition's next entry waits, if it can be batch where `left` products may still be.
    fn takeable(&self, frontier: Frontier, left: usize) -> Option<Instant> {
        let entry = self.below(frontier).next()?;
        (left > 0 || !is_product(&entry.output)).then_some(entry.since)
    }

    /// Puts back what was not written.
    pub(crate) fn put_back(&mut self, batch: Batch<T>) {
        for PartitionBatch { frontier, entries } in batch.parts {
            let buffer = self.buffer(frontier.slot, frontier.epoch);
            // A newer epoch has begun: the records are read again.
            if buffer.epoch != frontier.epoch {
                continue;
            }
            let products = products_in(&entries);
            for entry in entries.into_iter().rev() {
                buffer.entries.push_front(entry);
            }
            self.products += products;
        }
    }

    /// Drops the outputs of ended epochs. `epoch_of` is the current epoch of each slot.
    pub(crate) fn forget(&mut self, epoch_of: impl Fn(usize) -> u32) {
        for (slot, buffer) in self.slots.iter_mut().enumerate() {
            let epoch = epoch_of(slot);
            if buffer.epoch != epoch {
                self.products -= buffer.renew(epoch);
            }
        }
    }

    /// The buffer of a slot, emptied where its epoch is older.
    fn buffer(&mut self, slot: usize, epoch: u32) -> &mut PartitionBuffer<T> {
        while self.slots.len() <= slot {
            self.slots.push(PartitionBuffer::default());
        }
        let buffer = &mut self.slots[slot];
        if buffer.epoch < epoch {
            self.products -= buffer.renew(epoch);
        }
        buffer
    }
}

impl<T> Batch<T> {
    /// The outputs, partition by partition and in offset order.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = &Output<T>> {
        self.parts.iter().flat_map(|part| part.entries.iter().map(|entry| &entry.output))
    }
}

fn products_in<'e, T: 'e>(entries: impl IntoIterator<Item = &'e Entry<T>>) -> usize {
    entries.into_iter().filter(|entry| is_product(&entry.output)).count()
}

fn is_product<T>(output: &Output<T>) -> bool {
    matches!(output, Output::Product(_))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use rdkafka::message::OwnedHeaders;

    use super::*;
    use millrace_kafka::OwnedProducerRecord;

    fn handle(slot: usize, offset: i64) -> RecordHandle {
        RecordHandle { slot, epoch: 1, offset, bytes: 1 }
    }

    fn frontier(slot: usize, offset: i64) -> Frontier {
        Frontier { slot, epoch: 1, offset, done: 0 }
    }

    fn products_of(batch: &Batch<i64>) -> Vec<i64> {
        batch
            .outputs()
            .filter_map(|output| if let Output::Product(product) = output { Some(*product) } else { None })
            .collect()
    }

    proptest! {
        #[test]
        fn outputs_are_taken_once_in_order_with_their_offset(
            order in Just((0i64..40).collect::<Vec<_>>()).prop_shuffle(),
            steps in prop::collection::vec((0usize..12, any::<bool>()), 1..40),
        ) {
            let (mut buffer, now) = (TransactionBuffer::default(), Instant::now());
            let (mut done, mut written, mut waiting) = (Vec::new(), Vec::new(), order.into_iter());
            for (amount, succeeds) in steps {
                for offset in waiting.by_ref().take(amount) {
                    buffer.add(handle(0, offset), Output::Product(offset), now);
                    done.push(offset);
                }
                let reached = (0..40).find(|offset| !done.contains(offset)).unwrap_or(40);
                let (ready, since) = buffer.ready(&[frontier(0, reached)]);
                prop_assert_eq!(since.is_some(), ready > 0);
                prop_assert_eq!(ready, usize::try_from(reached).unwrap() - written.len());
                let batch = buffer.take(&[frontier(0, reached)], amount);
                let outputs = products_of(&batch);
                prop_assert_eq!(outputs.len(), amount.min(ready));
                if succeeds {
                    written.extend(outputs);
                    if let Some(part) = batch.parts.first() {
                        prop_assert_eq!(part.frontier.offset, i64::try_from(written.len()).unwrap());
                    }
                } else {
                    buffer.put_back(batch);
                }
                prop_assert_eq!(buffer.products(), done.len() - written.len());
            }
            prop_assert!(written.iter().copied().eq(0..i64::try_from(written.len()).unwrap()));
        }
    }

    proptest! {
        #[test]
        fn the_oldest_outputs_are_taken_first(slots in prop::collection::vec(0usize..4, 1..40), products in 0usize..40) {
            let start = Instant::now();
            let at = |second: usize| start + Duration::from_secs(second as u64);
            let (mut buffer, mut ends) = (TransactionBuffer::default(), [0; 4]);
            for (second, &slot) in slots.iter().enumerate() {
                buffer.add(handle(slot, ends[slot]), Output::Product(i64::try_from(second).unwrap()), at(second));
                ends[slot] += 1;
            }
            let frontiers: Vec<_> = ends.iter().enumerate().map(|(slot, &end)| frontier(slot, end)).collect();
            prop_assert_eq!(buffer.ready(&frontiers), (slots.len(), Some(start)));
            let mut batch = products_of(&buffer.take(&frontiers, products));
            batch.sort_unstable();
            prop_assert!(batch.into_iter().eq(0..i64::try_from(products.min(slots.len())).unwrap()));
            let since = (products < slots.len()).then(|| at(products));
            prop_assert_eq!(buffer.ready(&frontiers), (slots.len().saturating_sub(products), since));
        }
    }

    #[test]
    fn outputs_of_an_ended_epoch_are_dropped() {
        let (mut buffer, now) = (TransactionBuffer::default(), Instant::now());
        buffer.add(handle(0, 5), Output::Product(5), now);
        buffer.add(handle(1, 7), Output::Product(7), now);
        let batch = buffer.take(&[frontier(1, 8)], 1);
        buffer.forget(|_| 2);
        buffer.put_back(batch);
        assert_eq!(buffer.products(), 0);
        assert_eq!(buffer.ready(&[frontier(0, 6), frontier(1, 8)]), (0, None));
    }

    #[test]
    fn a_dead_letter_is_taken_in_order_and_is_no_product() {
        let (mut buffer, now) = (TransactionBuffer::default(), Instant::now());
        buffer.add(handle(0, 0), Output::Product(0), now);
        let letter =
            OwnedProducerRecord { topic: "t.dlq".into(), key: None, value: None, headers: OwnedHeaders::new() };
        buffer.add(handle(0, 1), Output::Letter(letter), now);
        buffer.add(handle(0, 2), Output::Product(2), now);
        assert_eq!(buffer.ready(&[frontier(0, 3)]), (2, Some(now)));
        let batch = buffer.take(&[frontier(0, 3)], 1);
        assert_eq!((batch.outputs().count(), batch.parts[0].frontier.offset), (2, 2));
    }
}
