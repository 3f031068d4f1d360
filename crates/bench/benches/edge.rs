//! `millrace serve` under load, beside an HTTP server that does nothing, librdkafka's plain producer and, where
//! `MILLRACE_BASE` is the path of one, another build of `millrace`.
//!
//! Runs the binary of `cargo build --release -p millrace`; build it first. All take turns, so that what else the machine
//! does concerns them alike: the ratios of each turn count. `MILLRACE_TURNS` is how many turns there are.
#![allow(missing_docs)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::routing::any;
use millrace_bench::{Fixture, Measurement, Process, Sample, median_of};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;

const SECONDS: &str = "4s";
const PLAIN_RECORDS: u64 = 2_000_000;

/// What is sent: a kind of event, connections, and events a request.
const WORKS: [(&str, &str, &str); 3] =
    [("notification", "64", "1"), ("notification", "256", "1"), ("event", "16", "100")];

fn main() -> anyhow::Result<()> {
    let turns =
        std::env::var("MILLRACE_TURNS").map_or(Ok(5), |turns| turns.parse::<usize>()).context("MILLRACE_TURNS")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let kafka = Fixture::start(&[("notifications", 3), ("events", 3), ("plain", 3)]).await?;
        let bootstrap = kafka.bootstrap_servers();
        let mut servers = vec![Server::idle().await?];
        if let Some(base) = std::env::var_os("MILLRACE_BASE") {
            servers.push(Server::start("MILLRACE_BASE", Path::new(&base), &bootstrap)?);
        }
        servers.push(Server::start("millrace serve", &millrace()?, &bootstrap)?);
        println!("closed loop, {SECONDS} each, medians of {turns} turns; CPU is the server's alone");
        for (kind, connections, batch) in WORKS {
            // The server that does nothing gives no batch its results.
            let servers = if batch == "1" { &servers[..] } else { &servers[1..] };
            let mut runs: Vec<Vec<Load>> = servers.iter().map(|_| Vec::new()).collect();
            for _ in 0..turns {
                for (server, runs) in servers.iter().zip(&mut runs) {
                    runs.push(load(server, kind, connections, batch)?);
                }
            }
            println!("{kind}, {connections} connections, batches of {batch}");
            for (server, own) in servers.iter().zip(&runs) {
                println!("  {:<36}{}", server.name, summary(own, runs.last().map_or(&[][..], Vec::as_slice)));
            }
        }
        println!("  librdkafka's plain producer, records of a batch  {}", plain_producer(&bootstrap)?);
        Ok(())
    })
}

/// A server that is measured.
struct Server {
    name: &'static str,
    url: String,
    process: Process,
    child: Option<Child>,
}

impl Server {
    /// `millrace serve` as a child process.
    fn start(name: &'static str, program: &Path, bootstrap: &str) -> anyhow::Result<Self> {
        let port = millrace_broker::port::free(1, &[]).context("a free port")?[0];
        let address = format!("127.0.0.1:{port}");
        let child = Command::new(program)
            .args(["serve", "--listen", &address, "--kafka", bootstrap])
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let process = Process::Other(child.id());
        let server = Self { name, url: format!("http://{address}"), process, child: Some(child) };
        for _ in 0..100 {
            if std::net::TcpStream::connect(&address).is_ok() {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        anyhow::bail!("{name} is not ready")
    }

    /// Baseline: a server of this process, which reads the request and answers as the edge does.
    async fn idle() -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let answer = r#"{"status":"Notification sent","id":"0198c0de-7a11-7000-8000-000000000001","topic":"notifications","partition":2,"offset":41}"#;
        let router = Router::new().fallback(any(move |_body: axum::body::Bytes| async move { answer }));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { name: "an HTTP server that does nothing", url, process: Process::This, child: None })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn millrace() -> anyhow::Result<PathBuf> {
    let bench = std::env::current_exe()?;
    let path = bench.ancestors().nth(2).context("target/release")?.join("millrace");
    ensure!(path.exists(), "{} is not built: cargo build --release -p millrace", path.display());
    Ok(path)
}

/// The result of one `millrace load`: CPU of the server, and latencies in milliseconds.
struct Load {
    sample: Sample,
    p50: f64,
    p99: f64,
}

/// The medians of some runs, and how the last server's are to them, turn by turn.
fn summary(runs: &[Load], last: &[Load]) -> String {
    let of = |what: fn(&Load) -> f64| {
        let values: Vec<f64> = runs.iter().map(what).collect();
        let ratios: Vec<f64> = runs.iter().zip(last).map(|(run, last)| what(last) / what(run)).collect();
        let (value, ratio) = (median_of(&values), median_of(&ratios));
        format!("{value:>9.2} ({ratio:.2})")
    };
    let (rate, cpu) = (of(|run| run.sample.rate()), of(|run| run.sample.cpu_micros()));
    let (p50, p99) = (of(|run| run.p50), of(|run| run.p99));
    format!("{rate} events/s {cpu} µs CPU an event, p50 {p50}, p99 {p99} ms")
}

fn load(server: &Server, kind: &str, connections: &str, batch: &str) -> anyhow::Result<Load> {
    let report = tempfile::NamedTempFile::new()?;
    let measurement = Measurement::begin(server.process)?;
    let status = Command::new(millrace()?)
        .args(["load", "--url", &server.url, "--kind", kind, "--rate", "0", "--duration", SECONDS])
        .args(["--connections", connections, "--batch", batch, "--json"])
        .arg(report.path())
        .stdout(Stdio::null())
        .status()?;
    ensure!(status.success(), "millrace load failed");
    let report: Value = serde_json::from_slice(&std::fs::read(report.path())?)?;
    let latency = |name: &str| report["latency_ms"][name].as_f64().unwrap_or(f64::NAN);
    let sample = measurement.end(report["accepted"].as_u64().context("accepted")?)?;
    Ok(Load { sample, p50: latency("p50"), p99: latency("p99") })
}

fn plain_producer(bootstrap: &str) -> anyhow::Result<Sample> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .set("queue.buffering.max.kbytes", "65536")
        .create()?;
    let value = "x".repeat(200);
    let headers = ["ce_id", "ce_type", "ce_source", "ce_time", "ce_specversion", "content-type", "traceparent"];
    let measurement = Measurement::begin(Process::This)?;
    for number in 0..PLAIN_RECORDS {
        let key = format!("user-{}", number % 10_000);
        let headers = headers.iter().fold(OwnedHeaders::new(), |all, key| {
            all.insert(Header { key, value: Some("0198c0de-7a11-7000-8000-000000000001") })
        });
        let mut record = BaseRecord::to("plain").key(&key).payload(&value).headers(headers);
        while let Err((_, refused)) = producer.send(record) {
            producer.poll(Duration::from_millis(1));
            record = refused;
        }
        if number % 1_000 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(Duration::from_secs(60))?;
    measurement.end(PLAIN_RECORDS)
}
