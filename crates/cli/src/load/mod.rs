//! `millrace load`: a load generator for the edge.
//!
//! Open loop: a request is due at its scheduled time and its latency counts from then, so that a slow server cannot
//! hide behind a client that waits for it (coordinated omission).

mod connection;
mod drive;
mod kind;
mod pacer;
mod progress;
mod report;
mod request;
mod response;
mod sample;
mod schedule;
mod stats;
mod target;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use http::HeaderValue;
use millrace_host::settings::{self, whole_number};
use rand::RngExt as _;
use tokio_util::sync::CancellationToken;

use connection::Endpoint;
use drive::Run;
use kind::Kind;
use progress::Progress;
use report::Report;
use request::Requests;
use schedule::Schedule;
use stats::Stats;
use target::Target;

use crate::discovery::DATA_DIR;

/// How long a run lasts when neither --count nor --duration is given.
const DEFAULT_DURATION: Duration = Duration::from_secs(10);

/// Longest run and longest time-out: added to a clock they do not overflow.
const DURATION_LIMIT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

const EXAMPLES: &str = "\
Examples:
  millrace load                                    1,000 a second for 10 s
  millrace load --rate 2000 --duration 60s         can it hold 2,000 a second?
  millrace load --kind event --batch 100 --rate 0  how fast can batches go?
  millrace load --kind order --count 500 --seed 7  the same orders each time
  millrace load --url https://api.example.com/prod --json report.json

Exit status: 0 when every event was accepted, 1 when any failed.";

/// Send events to the edge and measure how it answers
///
/// Events are due at a constant rate whether or not the server keeps up. A request waits for a free connection
/// if necessary, and its latency counts from when it was due to the end of its response. Latencies are those of
/// accepted requests; failures are counted by status.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Base URL of the edge, http or https [default: that of the millrace dev which uses the data directory, else port
    /// 8080 of this machine]
    #[arg(long, value_name = "URL")]
    url: Option<Target>,

    /// An API key or a token, for an edge that asks for one; better given as the variable, which other users of the machine
    /// do not see
    #[arg(long, value_name = "KEY", value_parser = bearer)]
    api_key: Option<HeaderValue>,

    /// Data directory of a running millrace dev
    #[arg(long, value_name = "DIR", default_value = DATA_DIR)]
    data_dir: PathBuf,

    /// What to send
    #[arg(long, value_enum, default_value_t = Kind::Notification)]
    kind: Kind,

    /// Events a second; 0 sends as fast as responses arrive, one request at a time on each connection
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = whole_number::<u32>(0..=10_000_000))]
    rate: u32,

    /// End after this many events, or after --duration if that is sooner
    #[arg(long, value_name = "N", value_parser = whole_number::<NonZeroU64>(1..=u64::MAX))]
    count: Option<NonZeroU64>,

    /// End after this time, such as 60s or 10m, or after --count events if that is sooner [default: 10s, unless
    /// --count is given]
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    duration: Option<Duration>,

    /// Connections to the edge
    #[arg(long, value_name = "N", default_value = "64", value_parser = whole_number::<NonZeroUsize>(1..=65_535))]
    connections: NonZeroUsize,

    /// Events per request; more than 1 are sent to /events as a batch
    #[arg(long, value_name = "N", default_value = "1", value_parser = whole_number::<NonZeroU32>(1..=81_920))]
    batch: NonZeroU32,

    /// Seed of the generated events: the same seed gives the same events, except for their timestamps, which are now
    /// [default: random]
    #[arg(long, value_name = "N", value_parser = whole_number::<u64>(0..=u64::MAX))]
    seed: Option<u64>,

    /// Time-out of a request
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = positive_duration)]
    timeout: Duration,

    /// Also write the report to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn positive_duration(text: &str) -> Result<Duration, String> {
    let duration = settings::duration(text)?;
    if duration.is_zero() || duration > DURATION_LIMIT {
        return Err("must be longer than 0s, and 365 days at most".to_owned());
    }
    Ok(duration)
}

/// Runs the load and reports on stdout.
///
/// Exits 1 if any event failed. Ends early, with a report, when `shutdown` is cancelled. Fails when the target's host
/// does not resolve or the report cannot be written.
pub(crate) async fn run(args: Args, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    run_with_output(&args, &shutdown, &mut std::io::stdout()).await
}

async fn run_with_output(
    args: &Args,
    shutdown: &CancellationToken,
    output: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let seed = args.seed.unwrap_or_else(|| rand::rng().random_range(0..sample::SEEDS));
    let target = target::find(args.url.as_ref(), &args.data_dir)?;
    let report = measure(args, &target, seed, shutdown).await?;
    writeln!(
        output,
        "load      {} to {}, {} connections, seed {seed}\n{report}",
        args.kind.name(),
        target,
        args.connections
    )
    .context("cannot print the report")?;
    if let Some(path) = &args.json {
        write_json(path, &report)?;
    }
    Ok(if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The header that shows a key or a token. It is not written to logs.
fn bearer(key: &str) -> Result<HeaderValue, String> {
    if key.is_empty() {
        return Err("must not be empty".to_owned());
    }
    let header = HeaderValue::from_str(&format!("Bearer {key}"));
    let mut header = header.map_err(|_| "must be visible ASCII".to_owned())?;
    header.set_sensitive(true);
    Ok(header)
}

async fn measure(args: &Args, target: &Target, seed: u64, stop: &CancellationToken) -> anyhow::Result<Report> {
    let duration = match (args.count, args.duration) {
        (None, None) => Some(DEFAULT_DURATION),
        (_, duration) => duration,
    };
    let schedule = Schedule::new(args.rate, args.batch, args.count.map(NonZeroU64::get), duration);
    let requests = Requests::new(args.kind, args.batch.get(), seed, jiff::Timestamp::now);
    let route = requests.route();
    let run = Run {
        endpoint: Endpoint::resolve(target, route.path, route.content_type, args.api_key.clone()).await?,
        requests,
        schedule,
        connections: args.connections,
        timeout: args.timeout,
    };

    let progress = Progress::of(&schedule);
    let stats = Arc::new(Mutex::new(Stats::new()));
    let elapsed = tokio::select! {
        elapsed = run.drive(stats.clone(), stop) => elapsed?,
        never = progress.follow(&stats) => match never {},
    };
    let stats = stats.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Report::new(&stats, elapsed))
}

fn write_json(path: &Path, report: &Report) -> anyhow::Result<()> {
    let mut json = serde_json::to_vec_pretty(report)?;
    json.push(b'\n');
    std::fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))
}
