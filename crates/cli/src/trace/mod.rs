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
use self::topics::{Found, OfLog};
use crate::broker::Broker;
use crate::database::{self as database_setting, DatabaseArgs};
use crate::discovery::BrokerArgs;
use crate::lake::location;
use crate::time_arg::{self, TimeArg};

/// How much earlier than an id the records of its event may be: clocks differ.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The file of a running `millrace dev` names its database without the password.
const NO_PASSWORD: &str = "if it has a password, DATABASE_URL names it with that";

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
    #[arg(long, value_name = "DIR|URL", value_parser = location::parse)]
    lake: Option<Location>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// What was found, and where it was looked for. What one place does not answer does not hide what others have.
#[derive(Default)]
struct Trace {
    hops: Vec<Hop>,
    looked_at: Vec<String>,
    not_looked_at: Vec<String>,
    has_failed: bool,
}

impl Trace {
    /// Takes what a place has, or why it cannot be read.
    fn take(&mut self, place: String, found: anyhow::Result<Vec<Hop>>) {
        match found {
            Ok(hops) => {
                self.looked_at.push(place);
                self.hops.extend(hops);
            }
            Err(error) => {
                self.has_failed = true;
                self.not_looked_at.push(format!("{place}: {error:#}"));
            }
        }
    }
}

/// Looks where the event may be, and prints what was found.
pub(crate) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let now = Timestamp::now();
    // A caller may make ids like the edge's, by another clock.
    let created = EventId::new(args.id.as_str()).created().filter(|created| *created <= now + CLOCK_SKEW);
    let given = args.since.map(|since| Timestamp::from_millisecond(since.as_millis())).transpose()?;
    let (mut trace, mut ids) = (Trace::default(), Ids::of(&args.id));

    // Without a broker that is named or runs here, there may still be what it left.
    let mut of_log = OfLog::default();
    let no_broker = match args.broker.settings() {
        Ok(settings) => {
            let found = search_topics(args, &mut ids, given, created).await;
            let found = found.map(|Found { hops, log }| {
                of_log = log;
                hops
            });
            trace.take(format!("Kafka on {}", settings.bootstrap_servers), found);
            None
        }
        Err(error) => {
            let reason = "Kafka: --kafka names no broker, and no millrace dev runs here";
            trace.not_looked_at.push(reason.to_owned());
            Some(error)
        }
    };
    if let Some(url) = args.database_url()? {
        match search_database(&url, &ids, &trace.hops).await {
            Ok((url, hops)) => trace.take(format!("the database {url}"), Ok(hops)),
            Err(error) if args.database.is_given() => trace.take("the database".to_owned(), Err(error)),
            Err(error) => trace.take(format!("the database ({NO_PASSWORD})"), Err(error)),
        }
    }
    if let Some(lake) = args.lake()? {
        let accepted = of_log.written.or(created).map(|at| (at, at)).or_else(|| given.map(|given| (given, now)));
        let is_log = of_log.is_known();
        let times = Times { rows: of_log.row_times, accepted };
        // Only logs are in the lake.
        let may_be_there = is_log || trace.hops.is_empty();
        if may_be_there && times.are_unknown() {
            trace
                .not_looked_at
                .push(format!("the lake {lake}: give --since, such as --since 2h, to search it from then on"));
        } else if may_be_there {
            let objects = Objects::open(&lake).with_context(|| format!("--lake {lake}"))?;
            let found = lake::search(&objects, ids.traced(), &times, now).await;
            trace.take(format!("the lake {lake}"), found.map_err(anyhow::Error::from));
        }
    }

    let Trace { hops, looked_at, not_looked_at, has_failed } = trace;
    if let Some(error) = no_broker.filter(|_| looked_at.is_empty() && !has_failed) {
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

/// What the topics have: from `given` on, else from when the id was made, or where that is nothing from their beginning.
async fn search_topics(
    args: &Args,
    ids: &mut Ids,
    given: Option<Timestamp>,
    created: Option<Timestamp>,
) -> anyhow::Result<Found> {
    let broker = Broker::connect(&args.broker).await?;
    let guessed = created.and_then(|created| created.checked_sub(CLOCK_SKEW).ok());
    let found = topics::search(&broker, ids, given.or(guessed)).await?;
    if !found.hops.is_empty() || given.is_some() || guessed.is_none() {
        return Ok(found);
    }
    topics::search(&broker, ids, None).await
}

/// The database's URL without a password, and what it has; `known` is what the topics have.
async fn search_database(url: &str, ids: &Ids, known: &[Hop]) -> anyhow::Result<(String, Vec<Hop>)> {
    let store = Store::connect_existing(url).await?;
    let found = database::search(&store, ids, known).await;
    store.close().await;
    Ok((store.display_url().to_owned(), found?))
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
        if let Some(lake) = &self.lake {
            return location::existing(lake.clone()).map(Some);
        }
        let folder = lake_folder(&self.broker.data_dir);
        Ok(folder.is_dir().then_some(Location::Folder(folder)))
    }
}
