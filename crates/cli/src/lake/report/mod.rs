//! `millrace lake report`: errors, latencies and anomalies by service and minute.

mod summary;
mod svg;
mod text;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use millrace_host::settings::duration;
use millrace_objects::Objects;

use self::summary::Summary;
use super::location::LakeArgs;

const EXAMPLES: &str = "\
Examples:
  millrace lake report                              the last day of what `millrace dev` took in
  millrace lake report --lake lake --last 1h        the last hour of what `millrace lake clean` made
  millrace lake report --lake s3://BUCKET --json    a bucket, as JSON (a build with the feature `aws`)
  millrace lake report --svg > report.svg           a picture

docs/lake.md says what is unusual.";

/// Show errors, latencies and anomalies of a lake by service and minute
///
/// Minutes are the log records' own, in UTC. Hours without metrics are counted from their rows.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    lake: LakeArgs,
    /// How much of it: the last day, hour or minutes before its latest record, of those that are not dated in the future
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = past)]
    last: Duration,
    /// Only this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Print JSON
    #[arg(long, conflicts_with = "svg")]
    json: bool,
    /// Print an SVG image
    #[arg(long)]
    svg: bool,
}

/// Parses a duration that is not empty.
fn past(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be more than 0".to_owned()),
        past => Ok(past),
    }
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let lake = args.lake.location()?;
    let objects = Objects::open(&lake).with_context(|| format!("--lake {lake}"))?;
    let summary = Summary::read(&objects, args.last, args.service.as_deref(), Timestamp::now()).await?;
    let Some(summary) = summary else {
        match args.service {
            Some(service) => eprintln!("{lake} has no rows of {service}"),
            None => eprintln!("{lake} has no rows"),
        }
        return Ok(ExitCode::FAILURE);
    };
    let output = if args.json {
        format!("{:#}\n", summary.to_json(&lake.to_string()))
    } else if args.svg {
        svg::of(&summary)
    } else {
        text::of(&summary)
    };
    anstream::stdout().write_all(output.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
