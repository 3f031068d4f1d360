//! What every Millrace process shares: settings, telemetry, health and shutdown.
//!
//! A consumer implements [`app::ConsumerApp`], and its `main.rs` needs [`consumer::main`] alone. Other processes compose the
//! same pieces: [`settings::parse`], [`telemetry`], [`shutdown::on_signals`], [`listen::bind`] and [`exit::report`].

pub mod admin;
pub mod app;
pub mod consumer;
#[cfg(feature = "database")]
pub mod database;
pub mod exit;
pub mod health;
pub mod health_check;
pub mod listen;
pub mod process;
#[cfg(feature = "database")]
pub mod retention;
pub mod setting_file;
pub mod settings;
pub mod shutdown;
pub mod telemetry;
pub mod worker;

/// mimalloc: a record or a request makes dozens of small allocations, often freed on another thread, and glibc's
/// allocator spends 10 to 20 % of the CPU on them.
#[cfg(feature = "allocator")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The version of all binaries: `0.1.0`.
pub const fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
