//! `millrace serve` under load, compared with an idle HTTP server and librdkafka's plain producer.
//!
//! Runs the binary of `cargo build --release -p millrace`; build it first.
#![allow(missing_docs)]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::routing::any;
use millrace_bench::{Fixture, Measurement, Process, Sample};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;

const SECONDS: &str = "8s";
const PLAIN_RECORDS: u64 = 2_000_000;

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let kafka = Fixture::start(&[("notifications", 3), ("events", 3), ("plain", 3)]).await?;
        let bootstrap = kafka.bootstrap_servers();

        let idle = idle_server().await?;
        println!("POST, about 200 bytes, closed loop, {SECONDS} each; CPU is the server's alone");
        let served = Served::start(&bootstrap)?;
        for connections in ["64", "256"] {
            let floor = load(&idle, Process::This, "notification", connections, "1")?;
            println!("  an HTTP server that does nothing, {connections:>3} connections  {floor}");
            let posts = load(&served.url, served.process(), "notification", connections, "1")?;
            println!("  /send-notification, acknowledged,  {connections:>3} connections  {posts}");
        }
        let plain = plain_producer(&bootstrap)?;
        println!("  librdkafka's plain producer, same records               {plain}");
        let batch = load(&served.url, served.process(), "event", "16", "100")?;
        println!("  /events, batches of 100,            16 connections  {batch}");
        println!("  batches reach {:.0} % of the plain producer", 100.0 * batch.sample.rate() / plain.rate());
        Ok(())
    })
}

/// `millrace serve` as a child process.
struct Served {
    child: Child,
    url: String,
}

impl Served {
    fn start(bootstrap: &str) -> anyhow::Result<Self> {
        let port = millrace_broker::port::free(1, &[]).context("a free port")?[0];
        let address = format!("127.0.0.1:{port}");
        let child = Command::new(millrace()?)
            .args(["serve", "--listen", &address, "--kafka", bootstrap])
            .stdout(Stdio::null())
            .spawn()?;
        let served = Self { child, url: format!("http://{address}") };
        for _ in 0..100 {
            if std::net::TcpStream::connect(&address).is_ok() {
                return Ok(served);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        anyhow::bail!("millrace serve is not ready")
    }

    fn process(&self) -> Process {
        Process::Other(self.child.id())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn millrace() -> anyhow::Result<PathBuf> {
    let bench = std::env::current_exe()?;
    let path = bench.ancestors().nth(2).context("target/release")?.join("millrace");
    ensure!(path.exists(), "{} is not built: cargo build --release -p millrace", path.display());
    Ok(path)
}

/// The result of one `millrace load`: CPU of the server, and latencies.
struct Load {
    sample: Sample,
    p50: f64,
    p99: f64,
}

impl std::fmt::Display for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}   p50 {:.2} ms, p99 {:.2} ms", self.sample, self.p50, self.p99)
    }
}

fn load(url: &str, process: Process, kind: &str, connections: &str, batch: &str) -> anyhow::Result<Load> {
    let report = tempfile::NamedTempFile::new()?;
    let measurement = Measurement::begin(process)?;
    let status = Command::new(millrace()?)
        .args(["load", "--url", url, "--kind", kind, "--rate", "0", "--duration", SECONDS])
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

/// Baseline: a server that reads the request and answers as the edge does.
async fn idle_server() -> anyhow::Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let answer = r#"{"status":"Notification sent","id":"0198c0de-7a11-7000-8000-000000000001","topic":"notifications","partition":2,"offset":41}"#;
    let router = Router::new().fallback(any(move |_body: axum::body::Bytes| async move { answer }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
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
