//! log-indexer into a server that takes all at once, and into a real OpenSearch, compared with a bare loop.
#![allow(missing_docs)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use millrace_bench::{Fixture, Measurement, Process, Sample, median};
use millrace_consumer::{Consumer, ConsumerOptions, Subscription};
use millrace_host::app::{ConsumerApp as _, SettingsContext};
use millrace_host::worker::on_worker;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer, ProducerRecord};
use millrace_log_indexer::{LogIndexer, Settings, TOPIC};
use millrace_testkit::opensearch;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::{ClientConfig, Message as _};
use serde_json::json;
use tokio_util::sync::CancellationToken;

const PARTITIONS: i32 = 3;
const ROWS: u64 = 200_000;
const RUNS: usize = 3;
const TIMEOUT: Duration = Duration::from_secs(30);

/// Rows of a call of the bare loop: as many as log-indexer's.
const BATCH: usize = 5_000;

/// The argument by which this program is the server.
const SERVER: &str = "server";

/// log-indexer's settings, as its command line has them.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

fn main() -> anyhow::Result<()> {
    if std::env::args().any(|argument| argument == SERVER) {
        return serve();
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}

async fn run() -> anyhow::Result<()> {
    let fixture = Fixture::start(&[(TOPIC, PARTITIONS), ("cleaned-logs.dlq", 1)]).await?;
    let kafka = KafkaSettings::plaintext(fixture.bootstrap_servers());
    fill(&kafka).await?;
    let server = Server::start()?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        bare.push(bare_loop(&kafka, run, server.port)?);
        ours.push(indexing(&kafka, &format!("at-once-{run}"), &server.url()).await?);
    }
    println!("{ROWS} rows of {} bytes, median of {RUNS} runs", row(0).len());
    println!("  a bare librdkafka loop, values as they are, calls of {BATCH}   {}", median(bare).context("no runs")?);
    println!("  log-indexer, a server that takes all at once           {}", median(ours).context("no runs")?);
    if let Some(search) = opensearch::shared().await {
        println!(
            "  log-indexer, one OpenSearch node on this machine        {}",
            indexing(&kafka, "real", &search.url()).await?
        );
    }
    Ok(())
}

fn row(number: u64) -> String {
    let time = jiff::Timestamp::now();
    json!({
        "id": format!("0198c5a0-0000-7000-8000-{number:012}"), "time": time, "time_ns": i64::try_from(time.as_nanosecond()).unwrap_or_default(),
        "time_source": "record", "observed_time": time, "severity_number": 9, "severity_text": "info", "service": "shop",
        "body": "request served",
        "attributes": {"method": "GET", "path": format!("/items/{}", number * 7919 % 500), "user_id": (number * 31 % 10_000).to_string()},
        "trace_id": format!("{:032x}", u128::from(number) * 0x9e37_79b9_7f4a_7c15), "span_id": null, "exception_type": null,
        "exception_message": null, "exception_stacktrace": null, "duration_ms": 12.25, "status": 200, "format": "json",
        "source": "raw/2026/01/31/12/raw-logs-1-00000000000000000000-1796037530664.jsonl.gz", "line": number, "lines": 1
    })
    .to_string()
}

async fn fill(kafka: &KafkaSettings) -> anyhow::Result<()> {
    let settings = ProducerSettings { linger: Duration::from_millis(20), ..ProducerSettings::default() };
    let producer = Producer::new(kafka, &settings)?;
    for start in (0..ROWS).step_by(10_000) {
        let records: Vec<_> = (start..start + 10_000)
            .map(|number| (format!("0198c5a0-0000-7000-8000-{number:012}"), (number % 50).to_string(), row(number)))
            .collect();
        let records = records.iter().map(|(id, key, value)| ProducerRecord {
            topic: TOPIC,
            partition: None,
            key: Some(key.as_bytes()),
            value: Some(value.as_bytes()),
            headers: OwnedHeaders::new().insert(Header { key: "ce_id", value: Some(id) }),
        });
        for report in producer.send_all(records.collect()).await {
            report?;
        }
    }
    Ok(())
}

async fn indexing(kafka: &KafkaSettings, group: &str, url: &str) -> anyhow::Result<Sample> {
    let arguments = ["bench", "--index-to", url, "--index-batch-age", "200ms"];
    let settings = Arguments::try_parse_from(arguments)?.settings;
    let indexer = LogIndexer::build(settings, &SettingsContext { data_dir: Path::new("."), is_local: true })?;
    let dead_letters = Producer::new(kafka, &ProducerSettings::default())?;
    let options = indexer.options(ConsumerOptions::default());
    let consumer = Consumer::new(kafka.clone(), Subscription::new(group, &[TOPIC]), options, dead_letters);
    let (progress, shutdown) = (consumer.progress(), CancellationToken::new());
    let stop = shutdown.clone();
    let running = async move { consumer.run_batches(&indexer, stop).await };
    let watching = async {
        let completed = || progress.processed();
        let until = async |wanted: u64| {
            while completed() < wanted {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        until(1).await;
        let (before, measurement) = (completed(), Measurement::begin(Process::This)?);
        until(ROWS).await;
        let sample = measurement.end(ROWS - before);
        shutdown.cancel();
        sample
    };
    let (end, sample) = tokio::join!(on_worker(running), watching);
    end?;
    sample
}

/// Baseline: the records read, and their values sent as they are, under an action of fixed text.
fn bare_loop(kafka: &KafkaSettings, run: usize, port: u16) -> anyhow::Result<Sample> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &kafka.bootstrap_servers)
        .set("group.id", format!("bare-{run}"))
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false");
    for (name, value) in ConsumerOptions::FETCH {
        config.set(name, value);
    }
    let consumer: BaseConsumer = config.create()?;
    consumer.subscribe(&[TOPIC])?;
    let mut connection = Connection::open(port)?;
    let (mut body, mut measurement, mut read) = (Vec::new(), None, 0);
    while read < ROWS {
        // Without a record where the client had an event to serve, such as a rebalance.
        let Some(record) = consumer.poll(TIMEOUT) else { continue };
        let record = record?;
        if measurement.is_none() {
            measurement = Some(Measurement::begin(Process::This)?);
        }
        body.extend_from_slice(
            b"{\"index\":{\"_index\":\"millrace-logs-2026.01.31\",\"_id\":\"0198c5a0-0000-7000-8000-000000000000\"}}\n",
        );
        body.extend_from_slice(record.payload().unwrap_or_default());
        body.push(b'\n');
        read += 1;
        if read % BATCH as u64 == 0 || read == ROWS {
            connection.post(&std::mem::take(&mut body))?;
        }
    }
    measurement.context("no record")?.end(ROWS)
}

/// A connection that posts, one call after the other.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(port: u16) -> anyhow::Result<Self> {
        Ok(Self(BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port))?)))
    }

    fn post(&mut self, body: &[u8]) -> anyhow::Result<()> {
        let head = format!("POST /_bulk HTTP/1.1\r\nhost: bench\r\ncontent-length: {}\r\n\r\n", body.len());
        self.0.get_mut().write_all(&[head.as_bytes(), body].concat())?;
        let (_, length) = head_of(&mut self.0)?.context("the server has gone")?;
        self.0.read_exact(&mut vec![0; length])?;
        Ok(())
    }
}

/// The first line of a message of HTTP, and its content's length.
fn head_of(reader: &mut BufReader<TcpStream>) -> anyhow::Result<Option<(String, usize)>> {
    let (mut first, mut length) = (String::new(), 0);
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            return Ok(Some((first, length)));
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
    }
}

/// This program as a server, in a process of its own: its CPU time is not log-indexer's.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start() -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?).arg(SERVER).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("it is piped")?).read_line(&mut line)?;
        Ok(Self { process, port: line.trim().parse()? })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails when it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?.port());
    for connection in listener.incoming() {
        let connection = connection?;
        std::thread::spawn(move || answer(connection));
    }
    Ok(())
}

/// Answers calls of `_bulk` as if all were indexed, and what else log-indexer asks.
fn answer(connection: TcpStream) -> anyhow::Result<()> {
    let mut reader = BufReader::new(connection);
    while let Some((first, length)) = head_of(&mut reader)? {
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let answer = if first.starts_with("POST /_bulk") {
            let items = vec![r#"{"index":{"status":201}}"#; body.split(|&byte| byte == b'\n').count() / 2];
            format!("{{\"items\":[{}]}}", items.join(","))
        } else if first.contains("_simulate_index") {
            json!({"template": {"mappings": {"dynamic": false, "properties": {"time": {"type": "date"}}}}}).to_string()
        } else {
            json!({"index_templates": []}).to_string()
        };
        write!(reader.get_mut(), "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len())?;
    }
    Ok(())
}
