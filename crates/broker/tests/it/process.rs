//! Whether processes run, and waiting for conditions.

use std::time::{Duration, Instant};

use rustix::process::{Pid, test_kill_process};

const TIMEOUT: Duration = Duration::from_secs(20);

/// Whether no process with this id runs.
pub(crate) fn has_ended(pid: u32) -> bool {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    test_kill_process(pid).is_err()
}

/// Waits until `condition` holds.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within {TIMEOUT:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
