//! Where a process crashes, and what is asserted after each crash.

use std::fmt;
use std::panic::AssertUnwindSafe;

use futures_util::{FutureExt as _, StreamExt as _, stream};

/// As many crashes are tried at a time: most of each is waiting.
const AT_A_TIME: usize = 4;

/// A point, and at which of its arrivals there the process crashes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crash(pub(crate) &'static str, pub(crate) usize);

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0, self.1)
    }
}

/// Tries every crash, and fails with the names of those after which `assert` does.
pub(crate) async fn after_each(crashes: &[Crash], assert: impl AsyncFn(Crash)) {
    let tried = stream::iter(crashes).map(async |&crash| {
        let held = AssertUnwindSafe(assert(crash)).catch_unwind().await;
        held.is_err().then(|| crash.to_string())
    });
    let failed: Vec<String> = tried.buffer_unordered(AT_A_TIME).filter_map(std::future::ready).collect().await;
    assert!(failed.is_empty(), "not after a crash at {}", failed.join(", "));
}
