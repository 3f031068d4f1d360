//! Payments as a process of its own: what the container runs.

use std::process::ExitCode;

/// A payment is dozens of small allocations, and a transaction frees thousands of them at once: glibc's allocator
/// spends a fifth of the CPU on them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    millrace_host::consumer::main(millrace_payments::process::run)
}
