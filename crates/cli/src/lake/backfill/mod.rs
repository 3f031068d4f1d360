//! `millrace lake backfill`: raw objects of months, cleaned by Step Functions; what that costs is said before.

#[cfg(feature = "step-functions")]
mod execution;
mod plan;

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use millrace_host::exit::SettingError;
use millrace_objects::{Location, Objects};
use millrace_stages::RawObjects;
use serde_json::Value;
#[cfg(feature = "step-functions")]
use serde_json::json;
use tokio_util::sync::CancellationToken;

#[cfg(feature = "step-functions")]
use self::execution::StateMachine;
use self::plan::{Plan, dollars};
use super::location::LakeArgs;
use crate::prices::PriceArgs;
use crate::progress_bar;

/// A build without Step Functions has none.
#[cfg(not(feature = "step-functions"))]
type StateMachine = std::convert::Infallible;

const EXAMPLES: &str = "\
Examples:
  millrace lake backfill raw/2026/01 --lake s3://BUCKET     what January's objects cost
  millrace lake backfill raw/2026/01 --lake s3://BUCKET --state-machine ARN
                                                            the same; asks, and starts it
  millrace lake backfill raw --lake s3://BUCKET --state-machine ARN --yes --json

The ARN is `terraform output backfill`. Credentials are those of the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, \
AWS_SESSION_TOKEN and AWS_REGION. Buckets and --state-machine are in a build with the feature `aws`. An object that is \
cleaned already is left as it is: a run that failed is started again. docs/lake.md says more.";

/// Clean months of raw objects on AWS with Step Functions, after an estimate of the cost
///
/// Lists the objects below PREFIX, looks into some, and estimates. With --state-machine it asks, starts the run, and shows its
/// progress. Exit 1 where an object could not be cleaned, or there is none below PREFIX.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The folder of the objects: raw, or one below it
    #[arg(value_name = "PREFIX", value_parser = prefix)]
    prefix: String,
    #[command(flatten)]
    lake: LakeArgs,
    /// The state machine that cleans them, by its ARN
    #[arg(long, value_name = "ARN", value_parser = state_machine)]
    state_machine: Option<String>,
    /// Start it without asking
    #[arg(long, requires = "state_machine")]
    yes: bool,
    #[command(flatten)]
    prices: PriceArgs,
    /// Print the estimate, and what became of the run, as JSON
    #[arg(long)]
    json: bool,
}

/// Parses a prefix: a folder, ending with `/`, so that `raw/2026/1` is not October as well.
fn prefix(text: &str) -> Result<String, String> {
    let folder = text.trim_end_matches('/');
    match folder.split('/').next() {
        Some("raw") if !folder.split('/').any(|part| matches!(part, "" | "." | "..")) => Ok(format!("{folder}/")),
        _ => Err("must be raw, or a folder below it such as raw/2026/01: log-clean reads no other objects".to_owned()),
    }
}

/// Parses the ARN of a state machine.
fn state_machine(text: &str) -> Result<String, String> {
    match text.split(':').collect::<Vec<_>>()[..] {
        ["arn", _, "states", region, _, "stateMachine", name] if !region.is_empty() && !name.is_empty() => {
            Ok(text.to_owned())
        }
        _ => Err("must be arn:aws:states:REGION:ACCOUNT:stateMachine:NAME".to_owned()),
    }
}

pub(super) async fn run(args: Args, shutdown: &CancellationToken) -> anyhow::Result<ExitCode> {
    let (prices, prices_as_of) = args.prices.read()?;
    let lake = args.lake.location()?;
    let machine = match &args.state_machine {
        Some(arn) => {
            can_start(&lake, args.yes)?;
            Some(open(arn, &lake.to_string()).await?)
        }
        None => None,
    };
    let objects = Objects::open(&lake).with_context(|| format!("--lake {lake}"))?;
    let bar = progress_bar::on_stderr(None);
    let listing = RawObjects::below(&objects, &args.prefix, |count| bar.set_message(format!("{count} names listed")));
    let Some(found) = shutdown.run_until_cancelled(listing).await else { return Ok(ExitCode::SUCCESS) };
    bar.finish_and_clear();
    let found = found.with_context(|| format!("--lake {lake}"))?;
    if found.objects == 0 {
        eprintln!("{lake} has no objects with content below {}", args.prefix);
        return Ok(ExitCode::FAILURE);
    }
    let plan = Plan::new(lake.to_string(), args.prefix, found, &prices, args.prices.region, prices_as_of);

    let Some(machine) = machine else {
        return print(&if args.json { plan.to_json(&Value::Null) } else { plan.to_text() });
    };
    if !args.json {
        anstream::stdout().write_all(plan.to_text().as_bytes())?;
    }
    if !args.yes && !is_wanted(&plan, shutdown).await? {
        eprintln!("nothing was started");
        return Ok(ExitCode::SUCCESS);
    }
    start(&plan, machine, args.json, shutdown).await
}

fn print(text: &str) -> anyhow::Result<ExitCode> {
    anstream::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Whether a run can be started at all: told before anything is listed.
fn can_start(lake: &Location, is_agreed: bool) -> Result<(), SettingError> {
    if cfg!(not(feature = "step-functions")) {
        return Err(not_in_this_build());
    }
    match lake {
        Location::Folder(_) => {
            return Err(SettingError::of_flag(
                "lake",
                "must be a bucket, s3://BUCKET: the state machine reads objects of S3",
            ));
        }
        Location::Bucket { prefix, .. } if !prefix.is_empty() => {
            return Err(SettingError::of_flag("lake", "must be a bucket without a prefix: events name keys in it"));
        }
        Location::Bucket { .. } => {}
    }
    if is_agreed || (io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Ok(());
    }
    Err(SettingError::of_flag("yes", "is needed where no terminal can be asked"))
}

fn not_in_this_build() -> SettingError {
    SettingError::of_flag("state-machine", "needs a build with the cargo feature `aws`")
}

/// Asks on the terminal. A thread of its own reads: one that waits for a line would hold up the end of the process.
async fn is_wanted(plan: &Plan, shutdown: &CancellationToken) -> anyhow::Result<bool> {
    eprint!("\nStart it, for about ${}? [y/N] ", dollars(plan.dollars()));
    io::stderr().flush()?;
    let (answer, answered) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line);
        // Nobody waits for it after a signal.
        let _ = answer.send(read.map(|_| line));
    });
    match shutdown.run_until_cancelled(answered).await {
        Some(line) => Ok(matches!(&*line??.trim().to_lowercase(), "y" | "yes")),
        None => Ok(false),
    }
}

#[cfg(not(feature = "step-functions"))]
#[allow(clippy::unused_async, reason = "as the other one")]
async fn open(_: &str, _: &str) -> anyhow::Result<StateMachine> {
    Err(not_in_this_build().into())
}

/// Opens the state machine; one that cleans the objects of another lake is refused.
#[cfg(feature = "step-functions")]
async fn open(arn: &str, lake: &str) -> anyhow::Result<StateMachine> {
    StateMachine::open(arn, lake).await
}

#[cfg(not(feature = "step-functions"))]
#[allow(clippy::unused_async, reason = "as the other one")]
async fn start(_: &Plan, machine: StateMachine, _: bool, _: &CancellationToken) -> anyhow::Result<ExitCode> {
    match machine {}
}

/// Starts the run, and shows it until it has ended.
#[cfg(feature = "step-functions")]
async fn start(
    plan: &Plan,
    machine: StateMachine,
    is_json: bool,
    shutdown: &CancellationToken,
) -> anyhow::Result<ExitCode> {
    let execution = machine.start(&plan.prefix).await?;
    eprintln!("started {execution}");
    let bar = progress_bar::on_stderr(Some(plan.found.objects));
    let following = machine.follow(&execution, |cleaned, failed| {
        bar.set_position(cleaned + failed);
        bar.set_message(format!("{cleaned} cleaned, {failed} failed"));
    });
    let followed = shutdown.run_until_cancelled(following).await;
    bar.finish_and_clear();
    let results = format!("{}/stages/backfill/", plan.lake);
    let (run, code) = match followed {
        Some(Ok(ended)) => {
            if !is_json {
                let reason = ended.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
                println!("{} objects cleaned, {} failed, {}{reason}", ended.cleaned, ended.failed, ended.status);
            }
            if ended.failed > 0 {
                eprintln!("which objects failed, and why: FAILED_….json below {results}");
            }
            let code = if ended.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
            let run = json!({
                "execution": execution, "status": ended.status, "cleaned": ended.cleaned, "failed": ended.failed,
                "reason": ended.reason, "results": results,
            });
            (run, code)
        }
        unknown => {
            let code = match unknown {
                Some(Err(error)) => {
                    eprintln!("error: the run cannot be looked at: {error:#}");
                    ExitCode::FAILURE
                }
                _ => ExitCode::SUCCESS,
            };
            eprintln!("the run goes on; `aws stepfunctions stop-execution --execution-arn {execution}` stops it");
            (json!({"execution": execution, "status": "RUNNING", "results": results}), code)
        }
    };
    if is_json { print(&plan.to_json(&run)).map(|_| code) } else { Ok(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_machine_is_named_by_its_arn() {
        assert!(state_machine("arn:aws:states:eu-central-1:123456789012:stateMachine:millrace-backfill").is_ok());
        for other in ["", "millrace-backfill", "arn:aws:states:eu-central-1:123456789012:execution:millrace-backfill:x"]
        {
            assert!(state_machine(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_prefix_is_a_folder_of_raw_objects() {
        for (text, folder) in [("raw", "raw/"), ("raw/2026/1", "raw/2026/1/"), ("raw/2026/01/", "raw/2026/01/")] {
            assert_eq!(prefix(text).as_deref(), Ok(folder));
        }
        for other in ["", "/raw", "cleaned/dt=2026-01-31", "rawer", "raw/../cleaned", "raw//x"] {
            assert!(prefix(other).is_err(), "{other}");
        }
    }
}
