//! Instances of the container's binary, on a broker of their own.

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

use crate::fixture::WAIT_TIMEOUT;
use crate::live_reader::LiveReader;
use crate::load;

/// Partitions of the topics `orders` and `payments`.
pub(crate) const PARTITIONS: i32 = 6;

/// A broker with the catalogue's topics. It aborts timed-out transactions every second, not every ten.
pub(crate) async fn broker() -> Option<Kafka> {
    let property = "transaction.abort.timed.out.transaction.cleanup.interval.ms";
    let kafka = kafka::dedicated(|broker| broker.property(property, "1000")).await?;
    let topics = [("orders", PARTITIONS), ("payments", PARTITIONS), ("orders.dlq", 1)];
    kafka.create_topics(&topics.map(|(name, partitions)| TopicSpec::new(name, partitions))).await;
    Some(kafka)
}

/// All offsets, for the message of a time-out.
pub(crate) async fn describe_offsets(kafka: &Kafka) -> String {
    let (orders, paid) = (kafka.end_offsets("orders").await, kafka.end_offsets("payments").await);
    let group = kafka.committed_offsets("millrace-payments", "orders").await;
    let committed = kafka.read_all("payments", Isolation::Committed).await.len();
    let written = kafka.read_all("payments", Isolation::Uncommitted).await.len();
    format!(
        "orders end at {orders:?}, the group is at {group:?}; payments end at {paid:?}, {written} written, {committed} \
         committed"
    )
}

/// Asserts that every order is paid once, and in order by order id: as read live, and as on the topic.
pub(crate) async fn assert_paid_exactly_once(kafka: &Kafka, journal: &Journal, reader: LiveReader) {
    let payments = kafka.read_all("payments", Isolation::Committed).await;
    let entries = payments.iter().map(|payment| load::entry(payment.value.as_deref().unwrap_or_default()));
    for (source, read) in [("on the topic", entries.collect()), ("live", reader.stop())] {
        let result = journal.check(read);
        eprintln!("{source}: {result}");
        result.assert_exactly_once_in_order();
        assert_eq!((result.read, result.unacknowledged), (journal.len(), 0), "{source}");
    }
}

/// An instance. Killed on drop; its log is printed if the test fails.
pub(crate) struct Instance {
    /// Its `group.instance.id`, kept across restarts.
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

    /// Its log so far.
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
        let is_healthy = |address: SocketAddr| -> std::io::Result<bool> {
            let mut connection = TcpStream::connect(address)?;
            write!(connection, "GET /health HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")?;
            let mut response = String::new();
            connection.read_to_string(&mut response)?;
            Ok(response.starts_with("HTTP/1.1 200"))
        };
        let joined = async || is_healthy(admin()?).ok()?.then_some(());
        eventually(WAIT_TIMEOUT, "the instance has joined its group", joined).await;
    }

    /// Sends it a signal by its name, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().unwrap();
        assert!(status.success(), "kill -{name}");
    }

    /// Kills it (`SIGKILL`), as a crash: it cannot leave its group.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Its exit status, if it has exited.
    pub(crate) fn exit_status(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().unwrap()
    }

    /// Waits until it has exited.
    pub(crate) async fn exited(&mut self, timeout: Duration) -> ExitStatus {
        eventually(timeout, "the instance has exited", async || self.exit_status()).await
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // Fails when it has exited already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            let log = self.log();
            let last = log.len().saturating_sub(40);
            eprintln!("log of instance {:?}:\n{}", self.name, log[last..].join("\n"));
        }
    }
}
