//! The container's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    millrace_host::consumer::main::<millrace_log_indexer::LogIndexer>()
}
