//! Memory budget of large requests: an upper bound for all concurrent ones together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// Bytes of one semaphore permit.
const PERMIT_SIZE: usize = 1024;

/// Requests of up to this many bytes are not counted: most requests never touch the semaphore.
pub(crate) const UNCOUNTED_LIMIT: usize = 64 * 1024;

/// The memory budget of one process.
#[derive(Clone)]
pub(crate) struct MemoryBudget(Arc<Semaphore>);

impl MemoryBudget {
    /// A budget of this many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / PERMIT_SIZE)))
    }

    /// An empty portion, for one request.
    pub(crate) fn portion(&self) -> Portion<'_> {
        Portion { budget: &self.0, permits: None }
    }
}

/// A request's portion of the memory budget.
pub(crate) struct Portion<'a> {
    budget: &'a Arc<Semaphore>,
    permits: Option<OwnedSemaphorePermit>,
}

impl Portion<'_> {
    /// Grows the portion to this many bytes; a 429 problem where the budget is exhausted.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), Problem> {
        if bytes <= UNCOUNTED_LIMIT {
            return Ok(());
        }
        let wanted = bytes.div_ceil(PERMIT_SIZE);
        let missing = wanted.saturating_sub(self.permits.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
        if missing == 0 {
            return Ok(());
        }
        let more =
            u32::try_from(missing).ok().and_then(|more| Arc::clone(self.budget).try_acquire_many_owned(more).ok());
        let more = more.ok_or_else(|| Problem::overloaded("too many large requests at once"))?;
        match &mut self.permits {
            Some(permits) => permits.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }

    /// The permits, to be held for as long as the memory is in use.
    pub(crate) fn into_permits(self) -> Option<OwnedSemaphorePermit> {
        self.permits
    }
}
