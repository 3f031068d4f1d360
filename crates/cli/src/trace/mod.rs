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
use millrace_store::Store;

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
  millrace trace ID --kafka broker:9092 --database postgres://db/millrace
  millrace trace ID --lake s3://BUCKET

Looks into each of the three that is there, and changes nothing: Kafka (all topics of the catalogue and their dead \
letters), the database, the lake. Topics are read from --since on, and the lake is searched from then to now; without it \
from the id's own time, which ids have that the edge made, else topics from their beginning. Of an order it shows what \
became of its payment, too. Exit code 1 also where one of the three could not be read.";

/// Show every hop of an event
///
/// Hops are accepted (by the edge), kafka, attempt, delivered, failed, stored, paid (its status says whether it was, or was
/// declined), `dead_letter`, raw and cleaned, the oldest first. Exit code 1 where nothing is known of the id,
/// or one of the places could not be read.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The event's id: the answer of the edge has it, and the header `ce_id` of its record; of a log record also the column id of
    /// its row
    #[arg(value_name = "ID")]
    id: String,
    /// Look from this time on: a time (RFC 3339) or how long ago it was, such as 2h
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

/// Looks where the event may be, and prints what was found. What one place does not answer does not hide what others have.
pub(crate) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let now = Timestamp::now();
    let mut ids = Ids::of(&args.id);
    // A caller may make ids like the edge's, with another clock.
    let created = EventId::new(args.id.as_str()).created().filter(|created| *created <= now + CLOCK_SKEW);
    let given = args.since.map(|since| Timestamp::from_millisecond(since.as_millis())).transpose()?;
    let (mut looked_at, mut not_looked_at) = (Vec::new(), Vec::new());

    // Without a broker that is named or runs here, there may still be what it left.
    let no_broker = args.broker.settings().err();
    let mut found = Found::default();
    let mut has_failed = false;
    if no_broker.is_none() {
        let since = given.or_else(|| created.and_then(|created| created.checked_sub(CLOCK_SKEW).ok()));
        match topics_of(args, &mut ids, since, given.is_none()).await {
            Ok((servers, of_topics)) => {
                looked_at.push(format!("Kafka on {servers}"));
                found = of_topics;
            }
            Err(error) => {
                has_failed = true;
                not_looked_at.push(format!("{error:#}"));
            }
        }
    } else {
        not_looked_at.push("Kafka: --kafka names no broker, and no millrace dev runs here".to_owned());
    }
    let Found { mut hops, is_no_log, log_written, row_times } = found;
    if let Some(url) = args.database_url()? {
        let searched = async {
            let store = Store::connect_existing(&url).await?;
            let of_database = database::search(&store, &ids, &hops).await;
            store.close().await;
            of_database.map(|of_database| (store.display_url().to_owned(), of_database))
        };
        match searched.await {
            Ok((url, of_database)) => {
                looked_at.push(format!("the database {url}"));
                hops.extend(of_database);
            }
            Err(error) => {
                has_failed = true;
                let way = "dev.json has no password: DATABASE_URL may name the database with it";
                let way = if args.database.is_given() { String::new() } else { format!(" ({way})") };
                not_looked_at.push(format!("the database: {error}{way}"));
            }
        }
    }
    if let Some(lake) = args.lake()? {
        let accepted = log_written.or(created).map(|at| (at, at)).or_else(|| given.map(|given| (given, now)));
        let times = Times { rows: row_times, accepted };
        let is_log = !times.rows.is_empty() || log_written.is_some();
        if (is_no_log || !hops.is_empty()) && !is_log {
            // It is another event's.
        } else if times.are_unknown() {
            not_looked_at.push(format!("the lake {lake}: nothing says when it was; --since narrows it"));
        } else {
            let objects = Objects::open(&lake).with_context(|| format!("--lake {lake}"))?;
            match lake::search(&objects, ids.traced(), &times, now).await {
                Ok(of_lake) => {
                    looked_at.push(format!("the lake {lake}"));
                    hops.extend(of_lake);
                }
                Err(error) => {
                    has_failed = true;
                    not_looked_at.push(format!("the lake {lake}: {error}"));
                }
            }
        }
    }
    if let (true, false, Some(error)) = (looked_at.is_empty(), has_failed, no_broker) {
        return Err(error.into());
    }
    let hops = hop::sorted(hops);
    if !hops.is_empty() || args.json {
        print(args, &hops)?;
    }
    for reason in &not_looked_at {
        eprintln!("not looked at: {reason}");
    }
    if hops.is_empty() {
        eprintln!("nothing is known of {}; looked at: {}", args.id.escape_debug(), looked_at.join(", "));
    }
    Ok(if hops.is_empty() || has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What the topics have from a time on; from their beginning, where that is nothing and the time was a guess.
async fn topics_of(
    args: &Args,
    ids: &mut Ids,
    since: Option<Timestamp>,
    is_guess: bool,
) -> anyhow::Result<(String, Found)> {
    let broker = Broker::connect(&args.broker).await?;
    let mut found = topics::search(&broker, ids, since).await?;
    if found.hops.is_empty() && since.is_some() && is_guess {
        found = topics::search(&broker, ids, None).await?;
    }
    Ok((broker.settings.bootstrap_servers, found))
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
