//! Memory budget of large requests: an upper bound for all concurrent ones together.

use std::sync::Arc;

use metrics::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;
use crate::telemetry;

/// Bytes of one semaphore permit.
const PERMIT_SIZE: usize = 1024;

/// Requests of up to this many bytes are not counted: most requests never touch the semaphore.
pub(crate) const UNCOUNTED_LIMIT: usize = 64 * 1024;

/// The memory budget of one process.
#[derive(Clone)]
pub(crate) struct MemoryBudget {
    permits: Arc<Semaphore>,
    used: Gauge,
}

impl MemoryBudget {
    /// A budget of this many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(bytes / PERMIT_SIZE)), used: telemetry::memory_used(bytes) }
    }

    /// An empty portion, for one request.
    pub(crate) fn portion(&self) -> Portion<'_> {
        Portion { budget: self, reserved: None }
    }
}

/// A request's portion of the memory budget.
pub(crate) struct Portion<'a> {
    budget: &'a MemoryBudget,
    reserved: Option<Reserved>,
}

/// Memory that a request takes of the budget, until it is dropped.
pub(crate) struct Reserved {
    permits: OwnedSemaphorePermit,
    used: Gauge,
}

impl Reserved {
    fn new(permits: OwnedSemaphorePermit, used: &Gauge) -> Self {
        used.increment(size(&permits));
        Self { permits, used: used.clone() }
    }

    fn merge(&mut self, more: OwnedSemaphorePermit) {
        self.used.increment(size(&more));
        self.permits.merge(more);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.used.decrement(size(&self.permits));
    }
}

/// Bytes, for a gauge.
#[allow(clippy::cast_precision_loss, reason = "a gauge is a floating-point number")]
fn size(permits: &OwnedSemaphorePermit) -> f64 {
    (permits.num_permits() * PERMIT_SIZE) as f64
}

impl Portion<'_> {
    /// Grows the portion to this many bytes; a 429 problem where the budget is exhausted.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), Problem> {
        if bytes <= UNCOUNTED_LIMIT {
            return Ok(());
        }
        let wanted = bytes.div_ceil(PERMIT_SIZE);
        let missing =
            wanted.saturating_sub(self.reserved.as_ref().map_or(0, |reserved| reserved.permits.num_permits()));
        if missing == 0 {
            return Ok(());
        }
        let more = u32::try_from(missing)
            .ok()
            .and_then(|more| Arc::clone(&self.budget.permits).try_acquire_many_owned(more).ok());
        let more = more.ok_or_else(|| Problem::overloaded("too many large requests at once"))?;
        match &mut self.reserved {
            Some(reserved) => reserved.merge(more),
            none => *none = Some(Reserved::new(more, &self.budget.used)),
        }
        Ok(())
    }

    /// What is reserved, to be held for as long as the memory is in use.
    pub(crate) fn into_reserved(self) -> Option<Reserved> {
        self.reserved
    }
}
