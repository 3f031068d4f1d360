//! Runs, merged.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;

use arrow_array::RecordBatch;
use arrow_select::interleave::interleave_record_batch;

use super::CompactError;
use super::output::Output;
use super::runs::{Cursor, Run};
use crate::dedupe::RecentIds;

/// Rows that are written at once.
const CHUNK_ROWS: usize = 2_048;

/// Bytes of rows that are written at once, about.
const CHUNK_BYTES: usize = 16 << 20;

/// Batches of which a chunk may hold rows besides those that are being read.
const SPENT_BATCHES: usize = 64;

/// The next row of an open run: its time in nanoseconds, its line, and the number of the run.
type Head = (i64, i64, usize);

/// Writes the rows of all runs in order of time, each id once; returns how many were left out.
pub(super) fn merge(mut runs: Vec<Run>, output: &mut Output<'_>) -> Result<u64, CompactError> {
    runs.sort_by_key(|run| run.first);
    let mut waiting = VecDeque::from(runs);
    let mut open: Vec<Option<(Cursor, Option<usize>)>> = Vec::new();
    let mut heads: BinaryHeap<Reverse<Head>> = BinaryHeap::new();
    let mut chunk = Chunk::default();
    let mut ids = RecentIds::default();
    let mut duplicates = 0;
    loop {
        while let Some(run) = waiting.pop_front_if(|run| heads.peek().is_none_or(|head| run.first <= head.0.0)) {
            if let Some(cursor) = Cursor::open(run)? {
                let (time, line) = cursor.place();
                heads.push(Reverse((time, line, open.len())));
                open.push(Some((cursor, None)));
            }
        }
        let Some(Reverse((_, _, number))) = heads.pop() else { break };
        let Some((cursor, slot)) = &mut open[number] else { continue };
        // Rows of a run follow each other until those of another one are next.
        let next_run = waiting.front().map_or(i64::MAX, |run| run.first);
        let next_head = heads.peek().map(|head| head.0);
        let is_over = loop {
            if ids.insert(cursor.id()) {
                let slot = *slot.get_or_insert_with(|| chunk.add(cursor.batch.clone()));
                chunk.push(slot, cursor.row);
            } else {
                duplicates += 1;
            }
            if !cursor.next_row() {
                *slot = None;
                if !cursor.next_batch()? {
                    break true;
                }
            }
            let (time, line) = cursor.place();
            let head = (time, line, number);
            if time >= next_run || next_head.is_some_and(|next| next < head) || chunk.is_full() {
                heads.push(Reverse(head));
                break false;
            }
        };
        if is_over {
            open[number] = None;
        }
        if chunk.is_full() || chunk.batches.len() > heads.len() + SPENT_BATCHES {
            chunk.write(output)?;
            open.iter_mut().flatten().for_each(|(_, slot)| *slot = None);
        }
    }
    chunk.write(output)?;
    Ok(duplicates)
}

/// Rows to be written, where they were read.
#[derive(Default)]
struct Chunk {
    /// Each with the bytes of one of its rows.
    batches: Vec<(RecordBatch, usize)>,
    /// A batch, and a row in it.
    rows: Vec<(usize, usize)>,
    bytes: usize,
}

impl Chunk {
    fn add(&mut self, batch: RecordBatch) -> usize {
        let row_bytes = batch.get_array_memory_size() / batch.num_rows().max(1);
        self.batches.push((batch, row_bytes));
        self.batches.len() - 1
    }

    fn push(&mut self, batch: usize, row: usize) {
        self.rows.push((batch, row));
        self.bytes += self.batches[batch].1;
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= CHUNK_ROWS || self.bytes >= CHUNK_BYTES
    }

    fn write(&mut self, output: &mut Output<'_>) -> io::Result<()> {
        let batches: Vec<&RecordBatch> = self.batches.iter().map(|(batch, _)| batch).collect();
        if !self.rows.is_empty() {
            let rows = match self.one_piece() {
                Some((batch, first)) => batches[batch].slice(first, self.rows.len()),
                None => interleave_record_batch(&batches, &self.rows).map_err(io::Error::other)?,
            };
            output.write(&rows)?;
        }
        *self = Self::default();
        Ok(())
    }

    /// The batch and the first row, where the rows follow each other there.
    fn one_piece(&self) -> Option<(usize, usize)> {
        let &(batch, first) = self.rows.first()?;
        let follow = self.rows.iter().zip(first..).all(|(&row, expected)| row == (batch, expected));
        follow.then_some((batch, first))
    }
}
