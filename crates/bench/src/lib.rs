//! Shared parts of the benchmarks: a broker, and measurement of wall and CPU time.
//!
//! Each benchmark prints its results beside a baseline measured in the same run. On a shared machine trust CPU time a
//! record (user and system time from `/proc`); rates depend on the other load.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use millrace_broker::topics::{TopicSpec, create_missing};
use millrace_broker::{Apache, ApacheCluster};
use rdkafka::ClientConfig;
use rdkafka::client::DefaultClientContext;

/// A broker for one benchmark; it ends when this is dropped.
#[derive(Debug)]
pub struct Fixture {
    cluster: ApacheCluster,
    _folder: tempfile::TempDir,
}

impl Fixture {
    /// Starts one Apache Kafka broker from its jars, with these topics: names and numbers of partitions.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start(topics: &[(&str, i32)]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let cluster = Apache::builder(PathBuf::from(folder.path())).heap_mib(1024).scratch().start().await?;
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", cluster.bootstrap_servers());
        let topics: Vec<_> = topics.iter().map(|&(name, partitions)| TopicSpec::new(name, partitions)).collect();
        create_missing(&client, DefaultClientContext, &topics, Duration::from_secs(30)).await?;
        Ok(Self { cluster, _folder: folder })
    }

    /// The bootstrap servers.
    pub fn bootstrap_servers(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}

/// The process whose CPU time is measured.
#[derive(Debug, Clone, Copy)]
pub enum Process {
    /// This process.
    This,
    /// The process with this id.
    Other(u32),
}

/// User and system CPU time of a process so far.
///
/// # Errors
/// Where `/proc` cannot be read.
pub fn cpu_time(process: Process) -> anyhow::Result<Duration> {
    let stat = match process {
        Process::This => std::fs::read_to_string("/proc/self/stat")?,
        Process::Other(pid) => std::fs::read_to_string(format!("/proc/{pid}/stat"))?,
    };
    // The name in parentheses may hold spaces; utime and stime are the 14th and 15th field (proc(5)).
    let fields = stat.rsplit_once(')').context("no name in /proc/PID/stat")?.1;
    let ticks: Vec<u64> = fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    // Linux reports clock ticks of 10 ms to user space on every architecture.
    Ok(Duration::from_millis(ticks.iter().sum::<u64>() * 10))
}

/// A running measurement.
#[derive(Debug)]
pub struct Measurement {
    process: Process,
    wall: Instant,
    cpu: Duration,
}

impl Measurement {
    /// Starts a measurement.
    ///
    /// # Errors
    /// Where `/proc` cannot be read.
    pub fn begin(process: Process) -> anyhow::Result<Self> {
        Ok(Self { process, wall: Instant::now(), cpu: cpu_time(process)? })
    }

    /// Ends it after `records` were processed.
    ///
    /// # Errors
    /// Where `/proc` cannot be read.
    pub fn end(self, records: u64) -> anyhow::Result<Sample> {
        let wall = self.wall.elapsed();
        Ok(Sample { records, wall, cpu: cpu_time(self.process)?.saturating_sub(self.cpu) })
    }
}

/// The result of a measurement.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    records: u64,
    wall: Duration,
    cpu: Duration,
}

#[allow(clippy::cast_precision_loss)] // for display
impl Sample {
    /// Records a second.
    pub fn rate(&self) -> f64 {
        self.records as f64 / self.wall.as_secs_f64()
    }

    /// CPU time a record, in microseconds.
    pub fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.records as f64
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.0} records/s {:>7.2} µs CPU a record", self.rate(), self.cpu_micros())
    }
}

/// The median of the runs by rate.
pub fn median(mut runs: Vec<Sample>) -> Option<Sample> {
    runs.sort_by(|a, b| a.rate().total_cmp(&b.rate()));
    runs.get(runs.len() / 2).copied()
}

/// The median of some figures; not a number where there are none.
pub fn median_of(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
