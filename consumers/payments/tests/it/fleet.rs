//! Instances of the container's program, on a broker of their own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use millrace_broker::topics::TopicSpec;
use millrace_testkit::kafka::{self, Isolation, Kafka};
use millrace_testkit::{Journal, eventually};
use serde_json::Value;

use crate::fixture::BOUND;
use crate::live_reader::LiveReader;
use crate::load;

/// Of the topics `orders` and `payments`.
pub(crate) const PARTITIONS: i32 = 6;

/// A broker with the catalogue's topics. It looks every second for transactions that were left behind, and not every
/// ten.
pub(crate) async fn broker() -> Option<Kafka> {
    let property = "transaction.abort.timed.out.transaction.cleanup.interval.ms";
    let kafka = kafka::dedicated(|broker| broker.property(property, "1000")).await?;
    let topics = [("orders", PARTITIONS), ("payments", PARTITIONS), ("orders.dlq", 1)];
    kafka.create_topics(&topics.map(|(name, partitions)| TopicSpec::new(name, partitions))).await;
    Some(kafka)
}

/// Where everything stands, for a test that waits in vain.
pub(crate) async fn account(kafka: &Kafka) -> String {
    let (orders, paid) = (kafka.end_offsets("orders").await, kafka.end_offsets("payments").await);
    let group = kafka.committed_offsets("millrace-payments", "orders").await;
    let committed = kafka.read_all("payments", Isolation::Committed).await.len();
    let written = kafka.read_all("payments", Isolation::Uncommitted).await.len();
    format!(
        "orders end at {orders:?}, the group is at {group:?}; payments end at {paid:?}, {written} written, {committed} \
         committed"
    )
}

/// Every order is paid once and in the order of its id: as the reader saw it live, and as the topic has it.
pub(crate) async fn assert_paid_exactly_once(kafka: &Kafka, journal: &Journal, reader: LiveReader) {
    let payments = kafka.read_all("payments", Isolation::Committed).await;
    let entries = payments.iter().map(|payment| load::entry(payment.value.as_deref().unwrap_or_default()));
    for (whose, read) in [("on the topic", entries.collect()), ("live", reader.end())] {
        let verdict = journal.check(read);
        eprintln!("{whose}: {verdict}");
        verdict.assert_exactly_once_in_order();
        assert_eq!((verdict.read, verdict.unacknowledged), (journal.len(), 0), "{whose}");
    }
}

/// A running instance. It is killed if the test ends before it does, and what it said is shown if the test fails.
pub(crate) struct Instance {
    /// Its `group.instance.id`, which is its own to keep across restarts.
    pub(crate) name: Option<String>,
    process: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Instance {
    pub(crate) fn start(bootstrap_servers: &str, name: Option<String>, options: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_millrace-payments"));
        process.env_clear().args(["--kafka", bootstrap_servers, "--admin-listen", "127.0.0.1:0"]).args(options);
        if let Some(name) = &name {
            process.args(["--group-instance-id", name]);
        }
        let mut process = process.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        thread::spawn({
            let log = Arc::clone(&log);
            move || lines.map_while(Result::ok).for_each(|line| log.lock().unwrap().push(line))
        });
        Self { name, process, log }
    }

    fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits until it has joined its group.
    pub(crate) async fn joined(&self) {
        let admin = || {
            let log = self.log.lock().unwrap();
            let first: Value = serde_json::from_str(log.first()?).ok()?;
            first["admin"].as_str()?.parse::<SocketAddr>().ok()
        };
        let is_well = |address: SocketAddr| -> std::io::Result<bool> {
            let mut connection = TcpStream::connect(address)?;
            write!(connection, "GET /health HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            connection.read_to_string(&mut answer)?;
            Ok(answer.starts_with("HTTP/1.1 200"))
        };
        let joined = async || is_well(admin()?).ok()?.then_some(());
        eventually(BOUND, "the instance has joined its group", joined).await;
    }

    /// Sends it a signal by its name, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().unwrap();
        assert!(status.success(), "kill -{name}");
    }

    /// Kills it as a crash would: it has no time to say goodbye.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// How it ended, if it has.
    pub(crate) fn end(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().unwrap()
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self, bound: Duration) -> ExitStatus {
        eventually(bound, "the instance has ended", async || self.end()).await
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // Fails when it has ended, which is well.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            let log = self.log();
            let last = log.len().saturating_sub(40);
            eprintln!("instance {:?} said:\n{}", self.name, log[last..].join("\n"));
        }
    }
}
