//! A consumer in a process of its own, which may crash: this test's program, started again.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use millrace_consumer::{BatchLimits, Consumer, ConsumerOptions, Subscription};
use millrace_kafka::producer::{ProducerSettings, TransactionalProducer};
use millrace_kafka::{KafkaSettings, Producer};
use millrace_testkit::eventually;
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::batch::Keeper;
use crate::crash::Crash;
use crate::fixture::BOUND;
use crate::keyed::Writer;
use crate::transactional::Copier;

/// Where a process finds its [`Job`].
const VARIABLE: &str = "MILLRACE_TEST_JOB";

/// The signal by which `abort` ends a process.
const SIGABRT: i32 = 6;

/// How the process consumes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Mode {
    /// Effects are lines of a file.
    Keyed,
    /// Effects are rows of a database.
    Batch,
    /// Effects are records of another topic.
    Transactional,
}

/// What a process is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) mode: Mode,
    pub(crate) bootstrap_servers: String,
    pub(crate) source: String,
    pub(crate) output: String,
    pub(crate) group: String,
    /// For what it leaves behind.
    pub(crate) folder: PathBuf,
    /// Counts the processes that follow each other.
    pub(crate) run: usize,
}

impl Job {
    /// This process's own, if it is one that was started for it.
    pub(crate) fn given() -> Option<Self> {
        let job = std::env::var(VARIABLE).ok()?;
        Some(serde_json::from_str(&job).unwrap())
    }

    /// Consumes until standard input ends, as it also does when the test is gone.
    pub(crate) async fn run(self) {
        // Crashes are expected: they leave no core files.
        setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).unwrap();
        tracing_subscriber::fmt().with_writer(io::stderr).init();
        let stop = CancellationToken::new();
        thread::spawn({
            let stop = stop.clone();
            move || {
                let _ = io::copy(&mut io::stdin(), &mut io::sink());
                stop.cancel();
            }
        });
        // A partition that was paused goes on with the next fetch, which would wait for records of the others.
        let consumer_overrides = vec![("fetch.wait.max.ms".to_owned(), "10".to_owned())];
        let settings = KafkaSettings { consumer_overrides, ..KafkaSettings::plaintext(&self.bootstrap_servers) };
        let consumer = self.consumer(&settings);
        let ended = match self.mode {
            Mode::Keyed => consumer.run_keyed(&Writer::new(&self), None, stop).await,
            Mode::Batch => consumer.run_batches(&Keeper::open(&self).await, stop).await,
            Mode::Transactional => {
                let defaults = ProducerSettings::default();
                let producer = TransactionalProducer::new(&settings, &defaults, &self.group).unwrap();
                producer.init_transactions(BOUND).await.unwrap();
                consumer.run_transactional(&Copier(self.output), &producer, stop).await
            }
        };
        ended.unwrap();
    }

    fn consumer(&self, settings: &KafkaSettings) -> Consumer {
        let producer = Producer::new(settings, &ProducerSettings::default()).unwrap();
        let subscription = Subscription { group: self.group.clone(), ..Subscription::new("test", &[&self.source]) };
        let options = ConsumerOptions {
            // Work is spread over many commits, batches and transactions.
            concurrency: 4,
            batch: BatchLimits { records: 5, ..BatchLimits::default() },
            commit_interval: Duration::from_millis(20),
            // The next process has its partitions at once, and need not wait until the crashed one is missed.
            group_instance_id: Some("one".to_owned()),
            ..ConsumerOptions::default()
        };
        Consumer::new(settings.clone(), subscription, options, producer)
    }
}

/// A process on its job. It is killed if the test ends before it does.
pub(crate) struct Process {
    child: Child,
    /// What it said.
    log: PathBuf,
}

impl Process {
    /// Starts a process on `job`, to crash where that is said.
    pub(crate) fn start(job: &Job, crash: Option<Crash>) -> Self {
        let log = job.folder.join(format!("log-{}", job.run));
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "a_member_of_the_group", "--ignored", "--nocapture"]);
        command.env_clear().env(VARIABLE, serde_json::to_string(job).unwrap());
        if let Some(crash) = crash {
            command.env("MILLRACE_CRASH_AT", crash.to_string());
        }
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn();
        Self { child: child.unwrap(), log }
    }

    /// Waits until it has crashed, and asserts that it did so where it should.
    pub(crate) async fn crashed(mut self, Crash(point, hit): Crash) {
        let status = self.ended().await;
        let log = fs::read_to_string(&self.log).unwrap();
        let last = log.lines().last().unwrap_or_default();
        let is_there = last.contains("ending as in a crash") && last.contains(point);
        assert!(status.signal() == Some(SIGABRT) && is_there, "no crash at {point}, hit {hit}: {status}");
    }

    /// Asks it to stop, and asserts that it does so in good order.
    pub(crate) async fn stop(mut self) {
        drop(self.child.stdin.take());
        let status = self.ended().await;
        assert!(status.success(), "the process ended with {status}");
    }

    async fn ended(&mut self) -> ExitStatus {
        eventually(BOUND, "the process has ended", async || self.child.try_wait().unwrap()).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails when it has ended, which is well.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the process said:\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
    }
}
