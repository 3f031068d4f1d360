//! `millrace trace`: every hop of an event, from the edge to the lake.

mod database;
mod hop;
mod ids;
mod lake;
mod topics;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use millrace_domain::EventId;
use millrace_host::exit::SettingError;
use millrace_log_shipper::lake_folder;
use millrace_objects::{Location, Objects};

use self::hop::Hop;
use self::ids::Ids;
use self::lake::Times;
use self::topics::Found;
use crate::broker::Broker;
use crate::database::{self as database_setting, DatabaseArgs};
use crate::discovery::BrokerArgs;
use crate::time_arg::{self, TimeArg};

/// How much earlier than an id the records of its event may be: clocks differ.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

const EXAMPLES: &str = "\
Examples:
  millrace trace 01a1fd9a-5b01-717b-b859-5e8b10a0f5dc  an id as the edge gave it
  millrace trace order-1 --since 2h                    a caller's own id
  millrace trace orders-0-17                           a record without an id
  millrace trace order-1 --json | jq -r .hops[].hop    for other programs
  millrace trace ID --kafka broker:9092 --database postgres://millrace@db/millrace --lake s3://BUCKET

Looks into each of the three that is there: Kafka (all topics of the catalogue and their dead letters), the database, \
the lake. Topics are read from --since on; without it from the id's own time, which ids have that the edge made, else \
from their beginning. Of an order it shows what became of its payment, too.";

/// Show every hop of an event
///
/// Hops are accepted (by the edge), kafka, attempt, delivered, failed, stored, paid (or declined), `dead_letter`, raw and
/// cleaned, the oldest first. Exit code 1 where nothing is known of the id.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The event's id: the answer of the edge has it, and the header `ce_id` of its record
    #[arg(value_name = "ID")]
    id: String,
    /// Read topics from this time on: a time (RFC 3339) or how long ago it was, such as 2h
    #[arg(long, value_name = "TIME", value_parser = time_arg::read)]
    since: Option<TimeArg>,
    /// The lake [default: lake in the data directory, if it is there]
    #[arg(long, value_name = "DIR|URL", value_parser = Location::parse)]
    lake: Option<Location>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// Looks where the event may be, and prints what was found.
pub(crate) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut ids = Ids::of(&args.id);
    let created = EventId::new(args.id.as_str()).created();
    let since = match args.since {
        Some(since) => Some(Timestamp::from_millisecond(since.as_millis())?),
        None => created.and_then(|created| created.checked_sub(CLOCK_SKEW).ok()),
    };
    let mut looked_at = Vec::new();

    // Without a broker that is named or runs here, there may still be what it left.
    let no_broker = args.broker.settings().err();
    let Found { mut hops, log_written, row_times } = match &no_broker {
        None => {
            let broker = Broker::connect(&args.broker).await?;
            looked_at.push(format!("Kafka on {}", broker.settings.bootstrap_servers));
            topics::search(&broker, &mut ids, since).await?
        }
        Some(_) => Found::default(),
    };
    if let Some(url) = args.database_url()? {
        let store = millrace_host::database::open(&url).await?;
        looked_at.push(format!("the database {}", store.display_url()));
        let found = database::search(&store, &ids).await;
        store.close().await;
        hops.extend(found?);
    }
    if let Some(lake) = args.lake()? {
        looked_at.push(format!("the lake {lake}"));
        let objects = Objects::open(&lake).with_context(|| format!("--lake {lake}"))?;
        let given = args.since.and(since);
        let times = Times { rows: row_times, accepted: log_written.or(created).or(given) };
        hops.extend(lake::search(&objects, ids.traced(), &times, Timestamp::now()).await?);
    }
    match (looked_at.is_empty(), no_broker) {
        (true, Some(error)) => return Err(error.into()),
        (false, Some(_)) => {
            eprintln!("not looked at: Kafka, since --kafka names no broker and no millrace dev runs here");
        }
        _ => {}
    }
    let hops = hop::sorted(hops);
    if hops.is_empty() && !args.json {
        eprintln!("nothing is known of {}; looked at: {}", args.id.escape_debug(), looked_at.join(", "));
        return Ok(ExitCode::FAILURE);
    }
    print(args, &hops)?;
    Ok(if hops.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print(args: &Args, hops: &[Hop]) -> std::io::Result<()> {
    let text = if args.json { format!("{}\n", hop::to_json(&args.id, hops)) } else { hop::to_text(hops) };
    anstream::stdout().write_all(text.as_bytes())
}

impl Args {
    /// The database that is given, or that of `millrace dev`, which may have ended.
    fn database_url(&self) -> anyhow::Result<Option<String>> {
        if let Some(url) = self.database.or_that_of_dev(&self.broker) {
            return Ok(Some(url));
        }
        // Another broker's events are in another database.
        if self.broker.kafka.is_some() {
            return Ok(None);
        }
        database_setting::left_in_data_dir(&self.broker.data_dir)
    }

    /// The lake that is given, or that of the data directory where there is one.
    fn lake(&self) -> Result<Option<Location>, SettingError> {
        match &self.lake {
            Some(Location::Folder(folder)) if !folder.is_dir() => {
                Err(SettingError::of_flag("lake", format!("there is no folder {}", folder.display())))
            }
            Some(lake) => Ok(Some(lake.clone())),
            None => {
                let folder = lake_folder(&self.broker.data_dir);
                Ok(folder.is_dir().then_some(Location::Folder(folder)))
            }
        }
    }
}
