//! An owned partition in one epoch, by what may be done with it: of a draining one nothing can be taken.

use millrace_domain::RecordCount;
use millrace_domain::record_count::metadata;

use crate::offset_map::ledger::LedgerError;
use crate::offset_map::{CompletedOffsets, Ledger};
use crate::start_offsets::StartOffset;

/// How far an epoch of a partition is done.
#[derive(Debug)]
pub(super) struct EpochProgress {
    ledger: Ledger,
    /// Counts its records as they are read; continues where the log was truncated.
    count: RecordCount,
    /// The offset known to be committed, or where reading began.
    committed: Option<i64>,
    /// Records in flight.
    in_flight: usize,
    /// How many records were completed, and how many of them the last commit includes.
    done: u64,
    done_committed: u64,
}

/// A partition whose records are taken.
#[derive(Debug)]
pub(super) struct AssignedPartition {
    progress: EpochProgress,
    /// Whether the client's position is known to be of this epoch, and not left over from an older one.
    is_position_fresh: bool,
}

/// A partition of which nothing is taken any more: what is in flight is finished and committed.
#[derive(Debug)]
pub(super) struct DrainingPartition {
    progress: EpochProgress,
    /// Whether it is this member's still: the consumer stops, and nobody has revoked it.
    is_owned: bool,
}

/// An offset to commit, and how many records were done by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Watermark {
    pub(super) offset: i64,
    pub(super) done: u64,
}

impl EpochProgress {
    fn new(count: RecordCount, done: Option<CompletedOffsets>) -> Self {
        let ledger = done.map(Ledger::resume).unwrap_or_default();
        Self { ledger, count, committed: None, in_flight: 0, done: 0, done_committed: 0 }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// A record left flight. Where `is_done`, it counts.
    ///
    /// # Errors
    ///
    /// Where it was not in flight.
    pub(super) fn end(&mut self, offset: i64, is_done: bool) -> Result<(), LedgerError> {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.done += u64::from(is_done);
        if is_done { self.ledger.close(offset) } else { Ok(()) }
    }

    /// The low watermark, where more is done than is committed; `has_more` where what is done beyond it counts as well.
    pub(super) fn uncommitted(&self, has_more: bool) -> Option<Watermark> {
        let offset = self.ledger.frontier()?;
        let is_beyond = self.committed.is_none_or(|committed| offset > committed);
        let is_more = has_more && self.done > self.done_committed;
        (is_beyond || is_more).then_some(Watermark { offset, done: self.done })
    }

    pub(super) fn set_committed(&mut self, watermark: Watermark) {
        self.committed = Some(watermark.offset);
        self.done_committed = watermark.done;
        self.count.settle(watermark.offset);
    }

    /// The committed offset; where nothing is committed, where reading began.
    pub(super) fn committed(&self) -> Option<i64> {
        self.committed.or_else(|| self.ledger.frontier())
    }

    /// The metadata of a commit at this low watermark; `names_done` where it names the offsets completed beyond it.
    pub(super) fn metadata(&self, watermark: i64, names_done: bool) -> String {
        let done = if names_done { self.ledger.done() } else { None };
        let done = done.map(|done| done.encode_metadata_that_fits()).unwrap_or_default();
        metadata(watermark, self.count.below(watermark), &done)
    }
}

impl AssignedPartition {
    /// An epoch that begins at `start`.
    pub(super) fn at(start: StartOffset) -> Self {
        let progress = match start {
            StartOffset::Unknown => EpochProgress::new(RecordCount::resume_anywhere(0), None),
            StartOffset::Stored { offset, records } => {
                EpochProgress::new(RecordCount::resume(offset, records), Some(CompletedOffsets::below(offset)))
            }
            StartOffset::Committed { done, records } => {
                let frontier = done.frontier();
                let progress = EpochProgress::new(RecordCount::resume(frontier, records), Some(done));
                EpochProgress { committed: Some(frontier), ..progress }
            }
        };
        Self { progress, is_position_fresh: false }
    }

    /// The epoch that begins where the log was truncated and reading begins again further back.
    pub(super) fn restarted(&self) -> Self {
        let EpochProgress { committed, count, .. } = &self.progress;
        let count = RecordCount::resume_anywhere(committed.map_or(0, |offset| count.below(offset)));
        Self { progress: EpochProgress::new(count, None), is_position_fresh: false }
    }

    /// Takes a polled record; false where it is done already.
    ///
    /// # Errors
    ///
    /// Where it lies before one that was taken: the log was truncated.
    pub(super) fn take(&mut self, offset: i64) -> Result<bool, LedgerError> {
        let progress = &mut self.progress;
        let is_first = progress.ledger.frontier().is_none();
        let is_new = progress.ledger.open(offset)?;
        progress.count.add(offset);
        if is_first {
            progress.committed = Some(offset);
        }
        self.is_position_fresh = true;
        self.progress.in_flight += usize::from(is_new);
        Ok(is_new)
    }

    /// Takes a record again that was spilled.
    pub(super) fn take_again(&mut self) {
        self.progress.in_flight += 1;
    }

    /// Notes the client's position: every record below it was taken, and what else lies there is no record. `None` where the
    /// client has delivered nothing since the partition was assigned.
    pub(super) fn reached(&mut self, position: Option<i64>) {
        match position {
            None => self.is_position_fresh = true,
            Some(position) if self.is_position_fresh => {
                self.progress.ledger.skip_to(position);
                self.progress.count.skip_to(position);
            }
            Some(_) => {}
        }
    }

    pub(super) fn drain(self, is_owned: bool) -> DrainingPartition {
        DrainingPartition { progress: self.progress, is_owned }
    }

    pub(super) fn progress(&self) -> &EpochProgress {
        &self.progress
    }

    pub(super) fn progress_mut(&mut self) -> &mut EpochProgress {
        &mut self.progress
    }
}

impl DrainingPartition {
    pub(super) fn is_owned(&self) -> bool {
        self.is_owned
    }

    pub(super) fn drain(self, is_owned: bool) -> Self {
        Self { is_owned, ..self }
    }

    pub(super) fn progress(&self) -> &EpochProgress {
        &self.progress
    }

    pub(super) fn progress_mut(&mut self) -> &mut EpochProgress {
        &mut self.progress
    }
}
