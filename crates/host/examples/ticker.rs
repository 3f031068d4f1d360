//! A minimal consumer that counts ticks instead of records, built like every consumer's `main.rs`. The tests of this
//! crate run it as a process.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use millrace_host::consumer::{self, Context};
use millrace_host::health::Status;
use millrace_host::settings::duration;

/// Counts time
#[derive(Parser)]
#[command(name = "ticker", version, after_help = "Examples:\n  ticker --every 100ms")]
struct Settings {
    /// Interval between ticks
    #[arg(long, value_parser = duration, default_value = "1s")]
    every: Duration,

    /// Fail after this many ticks
    #[arg(long, value_name = "TICKS")]
    fail_after: Option<u64>,

    /// How long the drain takes
    #[arg(long, value_parser = duration, default_value = "0s")]
    last_tick: Duration,
}

#[derive(Debug, thiserror::Error)]
#[error("the spring broke after {0} ticks")]
struct Broken(u64);

async fn run(settings: Settings, context: Context) -> Result<(), Broken> {
    let mut ticks = 0;
    context.health.set("clock", Status::Ok);
    while settings.fail_after.is_none_or(|limit| ticks < limit) {
        tokio::select! {
            () = tokio::time::sleep(settings.every) => ticks += 1,
            () = context.shutdown.cancelled() => {
                tokio::time::sleep(settings.last_tick).await;
                return Ok(());
            }
        }
        metrics::counter!("ticks_total").increment(1);
    }
    Err(Broken(ticks))
}

fn main() -> ExitCode {
    consumer::main(run)
}
