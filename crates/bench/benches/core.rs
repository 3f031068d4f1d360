//! event-store, payments, login-insights and log-shipper, compared with baselines for the same records.
//!
//! Each part runs in its own process and on its own broker, so that none is slowed by the memory or the database
//! clean-up of another. `cargo bench -p millrace-bench --bench core -- payments` runs one part.
#![allow(missing_docs)]

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use flate2::write::GzEncoder;
use millrace_bench::{Fixture, Measurement, Process, Sample, median};
use millrace_consumer::{Consumer, ConsumerError, ConsumerOptions, Progress, Subscription, Transformer};
use millrace_domain::payment::DeclineRules;
use millrace_event_store::EventStore;
use millrace_host::app::{ConsumerApp as _, SettingsContext};
use millrace_host::worker::on_worker;
use millrace_kafka::admin::AdminClient;
use millrace_kafka::producer::{ProducerSettings, TransactionalProducer};
use millrace_kafka::{KafkaSettings, Producer, ProducerRecord};
use millrace_log_shipper::{Compression, Destination, LogShipper};
use millrace_login_insights::Insights;
use millrace_objects::Location;
use millrace_payments::Payments;
use millrace_payments::gateway::SimulatedGateway;
use millrace_store::Store;
use millrace_testkit::Postgres;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Message as _};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio_util::sync::CancellationToken;

const PARTITIONS: i32 = 6;
const RECORDS: u64 = 300_000;
const ORDERS: u64 = 1_000_000;
const LINES: u64 = 600_000;
const DELAYED: u64 = 20_000;
const RUNS: usize = 3;
const TIME: &str = "2026-01-31T12:00:00.250Z";
const TIMEOUT: Duration = Duration::from_secs(30);

/// Records a transaction of the baseline producer, and rows a COPY.
const BATCH: u64 = 5_000;

const PARTS: [&str; 4] = ["events", "payments", "logins", "logs"];

fn main() -> anyhow::Result<()> {
    let selected: Vec<_> = std::env::args().filter(|argument| PARTS.contains(&argument.as_str())).collect();
    if let [part] = &selected[..] {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        return runtime.block_on(run(part));
    }
    for part in PARTS {
        let status = Command::new(std::env::current_exe()?).arg(part).status()?;
        anyhow::ensure!(status.success(), "{part}: {status}");
    }
    Ok(())
}

async fn run(part: &str) -> anyhow::Result<()> {
    let names = ["events", "orders", "delayed", "user-login", "payments", "bare", "processed-data", "raw-logs"];
    let topics: Vec<_> = names.into_iter().map(|name| (name, PARTITIONS)).collect();
    let fixture = Fixture::start(&topics).await?;
    let kafka = KafkaSettings::plaintext(fixture.bootstrap_servers());
    match part {
        "events" => events(&kafka).await,
        "payments" => payments(&kafka).await,
        "logins" => logins(&kafka).await,
        _ => logs(&kafka).await,
    }
}

fn login(number: u64) -> String {
    let (user, locale) = (number * 7919 % 10_000, ["DE", "US", "FR", "IN", "BR"][(number % 5) as usize]);
    format!(r#"{{"user_id":"{user}","device_type":"iOS","locale":"{locale}","ip":"10.0.0.1","timestamp":1769860800}}"#)
}

async fn fill(kafka: &KafkaSettings, topic: &str, count: u64, value: impl Fn(u64) -> String) -> anyhow::Result<()> {
    let settings = ProducerSettings { linger: Duration::from_millis(20), ..ProducerSettings::default() };
    let producer = Producer::new(kafka, &settings)?;
    for start in (0..count).step_by(10_000) {
        let records: Vec<_> = (start..start + 10_000)
            .map(|number| (format!("{topic}-{number}"), number.to_string(), value(number)))
            .collect();
        let records = records.iter().map(|(id, key, value)| ProducerRecord {
            topic,
            partition: None,
            key: Some(key.as_bytes()),
            value: Some(value.as_bytes()),
            headers: headers(id),
        });
        for report in producer.send_all(records.collect()).await {
            report?;
        }
    }
    Ok(())
}

fn headers(id: &str) -> OwnedHeaders {
    let fixed = [
        ("ce_id", id),
        ("ce_type", "millrace.event.registered"),
        ("ce_source", "/millrace/edge"),
        ("ce_time", TIME),
        ("ce_specversion", "1.0"),
        ("content-type", "application/json"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ];
    fixed.into_iter().fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(value) }))
}

/// The records of a topic that a consumer has completed.
fn completed(progress: &Progress, topic: &str) -> u64 {
    let positions = (0..PARTITIONS).filter_map(|partition| progress.position(topic, partition));
    positions.map(|offset| u64::try_from(offset).unwrap_or(0)).sum()
}

/// Measures a consumer from its first completed record until it has completed `count`.
async fn measured(
    progress: Arc<Progress>,
    topic: &str,
    count: u64,
    running: impl Future<Output = Result<(), ConsumerError>> + Send + 'static,
    shutdown: CancellationToken,
) -> anyhow::Result<Sample> {
    let watching = async {
        let until = async |wanted: u64| {
            while completed(&progress, topic) < wanted {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        until(1).await;
        let (before, measurement) = (completed(&progress, topic), Measurement::begin(Process::This)?);
        until(count).await;
        let sample = measurement.end(count - before);
        shutdown.cancel();
        sample
    };
    let (end, sample) = tokio::join!(on_worker(running), watching);
    end?;
    sample
}

async fn events(kafka: &KafkaSettings) -> anyhow::Result<()> {
    let text = "x".repeat(150);
    fill(kafka, "events", RECORDS, |number| format!(r#"{{"user_id":"{number}","text":"{text}"}}"#)).await?;
    let postgres = Postgres::dedicated().await.context("no PostgreSQL")?;
    let (mut ours, mut copies) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        let database = postgres.database().await;
        let store = Store::connect(database.url()).await?;
        copies.push(copy(database.url(), &text).await?);
        let events = EventStore::of(store.clone(), &AdminClient::new(kafka)?, TIMEOUT).await?;
        let dead_letters = Producer::new(kafka, &ProducerSettings::default())?;
        let group = Subscription::new(&format!("events-{run}"), &["events"]);
        let consumer = Consumer::new(kafka.clone(), group, ConsumerOptions::default(), dead_letters);
        let (progress, shutdown) = (consumer.progress(), CancellationToken::new());
        let stop = shutdown.clone();
        let running = async move { consumer.run_batches(&events, stop).await };
        ours.push(measured(progress, "events", RECORDS, running, shutdown).await?);
        store.close().await;
    }
    let (copy, ours) = (median(copies).context("no runs")?, median(ours).context("no runs")?);
    println!("events into PostgreSQL, {RECORDS} of about 180 bytes and 7 headers, median of {RUNS} runs");
    println!("  the same rows by COPY, one connection  {copy}");
    println!("  event-store                            {ours}   {:.0} % of COPY", 100.0 * ours.rate() / copy.rate());
    Ok(())
}

/// Copies the rows of the events into a table like theirs.
async fn copy(url: &str, text: &str) -> anyhow::Result<Sample> {
    let mut connection = PgConnection::connect(url).await?;
    connection.execute("CREATE TABLE copied (LIKE events INCLUDING ALL)").await?;
    let measurement = Measurement::begin(Process::This)?;
    for start in (0..RECORDS).step_by(usize::try_from(BATCH)?) {
        let mut lines = String::new();
        for number in start..start + BATCH {
            let digest = "00".repeat(32);
            writeln!(
                lines,
                "events-{number}\tmillrace.event.registered\t/millrace/edge\tevents\t0\t{number}\t{number}\t{TIME}\t{TIME}\t\
                 {{\"user_id\":\"{number}\",\"text\":\"{text}\"}}\t\\\\x{digest}"
            )?;
        }
        let mut into = connection.copy_in_raw("COPY copied FROM STDIN").await?;
        into.send(lines.as_bytes()).await?;
        into.finish().await?;
    }
    measurement.end(RECORDS)
}

async fn payments(kafka: &KafkaSettings) -> anyhow::Result<()> {
    let order = |number: u64| format!(r#"{{"order_id":"{number}","amount":12.50}}"#);
    fill(kafka, "orders", ORDERS, order).await?;
    fill(kafka, "delayed", DELAYED, order).await?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        bare.push(bare_transactions(kafka, run)?);
        ours.push(paying(kafka, &format!("payments-{run}"), "orders", ORDERS, Duration::ZERO).await?);
    }
    let delayed = paying(kafka, "payments-delayed", "delayed", DELAYED, Duration::from_millis(100)).await?;
    let (bare, ours) = (median(bare).context("no runs")?, median(ours).context("no runs")?);
    println!("payments, exactly once, {ORDERS} orders, median of {RUNS} runs");
    println!("  librdkafka's transactional producer alone, {BATCH} a transaction {bare}");
    println!(
        "  payments, no delay                                          {ours}   {:.0} % of it",
        100.0 * ours.rate() / bare.rate()
    );
    println!("  payments, 100 ms at the gateway, one instance               {delayed}");
    Ok(())
}

async fn paying(
    kafka: &KafkaSettings,
    group: &str,
    topic: &str,
    count: u64,
    delay: Duration,
) -> anyhow::Result<Sample> {
    let payments = Payments::new(SimulatedGateway { delay, rules: DeclineRules { above: 10_000.0 } }, "payments");
    transforming(kafka, group, topic, count, payments).await
}

async fn transforming(
    kafka: &KafkaSettings,
    group: &str,
    topic: &str,
    count: u64,
    transformer: impl Transformer + 'static,
) -> anyhow::Result<Sample> {
    let settings = ProducerSettings::default();
    let producer = TransactionalProducer::new(kafka, &settings, &format!("millrace-{group}"))?;
    producer.init_transactions(TIMEOUT).await?;
    let dead_letters = Producer::new(kafka, &settings)?;
    let subscription = Subscription::new(group, &[topic]);
    let consumer = Consumer::new(kafka.clone(), subscription, ConsumerOptions::default(), dead_letters);
    let (progress, shutdown) = (consumer.progress(), CancellationToken::new());
    let stop = shutdown.clone();
    let running = async move { consumer.run_transactional(&transformer, &producer, stop).await };
    measured(progress, topic, count, running, shutdown).await
}

/// Baseline: records of a payment's size, written in transactions by librdkafka alone.
fn bare_transactions(kafka: &KafkaSettings, run: usize) -> anyhow::Result<Sample> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &kafka.bootstrap_servers)
        .set("transactional.id", format!("bare-{run}"))
        .set("linger.ms", "2.5")
        .set("queue.buffering.max.messages", "1000000");
    let producer: BaseProducer = config.create()?;
    producer.init_transactions(TIMEOUT)?;
    let value = "x".repeat(170);
    let measurement = Measurement::begin(Process::This)?;
    for start in (0..ORDERS).step_by(usize::try_from(BATCH)?) {
        producer.begin_transaction()?;
        for number in start..start + BATCH {
            let key = number.to_string();
            let record = BaseRecord::to("bare").key(&key).payload(&value).headers(headers(&key));
            producer.send(record).map_err(|(error, _)| error)?;
        }
        producer.flush(TIMEOUT)?;
        producer.commit_transaction(TIMEOUT)?;
    }
    measurement.end(ORDERS)
}

async fn logins(kafka: &KafkaSettings) -> anyhow::Result<()> {
    fill(kafka, "user-login", RECORDS, login).await?;
    let mut runs = Vec::new();
    for run in 0..RUNS {
        let insights = Insights::new("processed-data", Duration::from_secs(1));
        runs.push(transforming(kafka, &format!("logins-{run}"), "user-login", RECORDS, insights).await?);
    }
    println!("login insights, exactly once, {RECORDS} logins, median of {RUNS} runs");
    println!("  login-insights                         {}", median(runs).context("no runs")?);
    Ok(())
}

/// A JSON line of a web service, as the benchmark `lake` cleans it.
fn log_line(number: u64) -> String {
    let (status, path) = ([200, 200, 200, 404, 503][(number % 5) as usize], number * 7919 % 500);
    format!(
        r#"{{"time":"2026-01-31T12:00:00.{:03}Z","level":"info","msg":"request served","method":"GET","path":"/items/{path}","status":{status},"duration_ms":{}.25,"user_id":"{}","trace_id":"{:032x}"}}"#,
        number % 1_000,
        number % 90,
        number * 31 % 10_000,
        u128::from(number) * 0x9e37_79b9_7f4a_7c15
    )
}

async fn logs(kafka: &KafkaSettings) -> anyhow::Result<()> {
    fill(kafka, "raw-logs", LINES, log_line).await?;
    let (mut gzip, mut zstd, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..RUNS {
        bare.push(bare_gzip(kafka, run)?);
        gzip.push(shipping(kafka, &format!("gzip-{run}"), Compression::Gzip).await?);
        zstd.push(shipping(kafka, &format!("zstd-{run}"), Compression::Zstd).await?);
    }
    let bare = median(bare).context("no runs")?;
    println!("{LINES} log lines of about {} bytes into objects in a folder, median of {RUNS} runs", log_line(0).len());
    println!("  a bare librdkafka loop, values alone into gzip  {bare}");
    for (name, runs) in [("gzip", gzip), ("zstd", zstd)] {
        let ours = median(runs).context("no runs")?;
        println!(
            "  log-shipper, {name}                               {ours}   {:.0} lines a second of CPU",
            1e6 / ours.cpu_micros()
        );
    }
    Ok(())
}

async fn shipping(kafka: &KafkaSettings, group: &str, compression: Compression) -> anyhow::Result<Sample> {
    let folder = tempfile::tempdir()?;
    let settings = millrace_log_shipper::Settings {
        logs_to: Some(Destination::Objects(Location::Folder(folder.path().to_owned()))),
        logs_batch_age: Some(Duration::from_millis(200)),
        logs_batch_bytes: None,
        logs_compression: compression,
    };
    let shipper = LogShipper::build(settings, &SettingsContext { data_dir: Path::new("."), is_local: false })?;
    let dead_letters = Producer::new(kafka, &ProducerSettings::default())?;
    let subscription = Subscription::new(group, &["raw-logs"]);
    let options = shipper.options(ConsumerOptions::default());
    let consumer = Consumer::new(kafka.clone(), subscription, options, dead_letters);
    let (progress, shutdown) = (consumer.progress(), CancellationToken::new());
    let stop = shutdown.clone();
    let running = async move { consumer.run_batches(&shipper, stop).await };
    measured(progress, "raw-logs", LINES, running, shutdown).await
}

/// Baseline: the records read, and their values compressed, by librdkafka and zlib alone.
fn bare_gzip(kafka: &KafkaSettings, run: usize) -> anyhow::Result<Sample> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &kafka.bootstrap_servers)
        .set("group.id", format!("bare-gzip-{run}"))
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false");
    for (name, value) in ConsumerOptions::FETCH {
        config.set(name, value);
    }
    let consumer: BaseConsumer = config.create()?;
    consumer.subscribe(&["raw-logs"])?;
    let mut encoder = GzEncoder::new(io::sink(), flate2::Compression::new(4));
    let mut measurement = None;
    let mut read = 0;
    while read < LINES {
        // Without a record where the client had an event to serve, such as a rebalance.
        let Some(record) = consumer.poll(TIMEOUT) else { continue };
        let record = record?;
        if measurement.is_none() {
            measurement = Some(Measurement::begin(Process::This)?);
        }
        encoder.write_all(record.payload().unwrap_or_default())?;
        encoder.write_all(b"\n")?;
        read += 1;
    }
    encoder.finish()?;
    measurement.context("no record")?.end(LINES)
}
