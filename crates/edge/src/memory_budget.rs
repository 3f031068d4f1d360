//! Memory budget of large requests: how much all of them at once may take.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// The budget is handed out in units of this many bytes.
const UNIT: usize = 1024;

/// Up to this many bytes a request is not counted: most requests never touch the semaphore.
pub(crate) const UNCOUNTED: usize = 64 * 1024;

/// The room of one process.
#[derive(Clone)]
pub(crate) struct MemoryBudget(Arc<Semaphore>);

impl MemoryBudget {
    /// Reserves this many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / UNIT)))
    }

    /// A request's share, nothing so far.
    pub(crate) fn share(&self) -> Portion<'_> {
        Portion { all: &self.0, taken: None }
    }
}

/// A request's share of the room.
pub(crate) struct Portion<'a> {
    all: &'a Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
}

impl Portion<'_> {
    /// Grows the share to this many bytes, or tells the caller to come again later: 429.
    pub(crate) fn cover(&mut self, bytes: usize) -> Result<(), Problem> {
        if bytes <= UNCOUNTED {
            return Ok(());
        }
        let wanted = bytes.div_ceil(UNIT);
        let missing = wanted.saturating_sub(self.taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
        if missing == 0 {
            return Ok(());
        }
        let more = u32::try_from(missing).ok().and_then(|more| Arc::clone(self.all).try_acquire_many_owned(more).ok());
        let more = more.ok_or_else(|| Problem::overloaded("too many large requests at once"))?;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }

    /// The share, to be kept for as long as the memory is in use.
    pub(crate) fn keep(self) -> Option<OwnedSemaphorePermit> {
        self.taken
    }
}
