//! What Millrace's benchmarks share: a broker of their own, and an account of time and CPU.
//!
//! Each benchmark prints its figures beside a limit measured in the same run. CPU a record (user and system time of
//! this process, from `/proc`) is the figure to trust on a machine that is shared; rates depend on who else is there.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use millrace_broker::topics::{TopicSpec, create_missing};
use millrace_broker::{Apache, ApacheCluster};
use rdkafka::ClientConfig;
use rdkafka::client::DefaultClientContext;

/// A broker of its own for one benchmark; it goes away with this.
#[derive(Debug)]
pub struct Fixture {
    cluster: ApacheCluster,
    _folder: tempfile::TempDir,
}

impl Fixture {
    /// Starts one Apache Kafka broker from its jars, with these topics: names and numbers of partitions.
    ///
    /// # Errors
    /// Where it does not start.
    pub async fn start(topics: &[(&str, i32)]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let cluster = Apache::builder(PathBuf::from(folder.path())).heap_mib(1024).scratch().start().await?;
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", cluster.bootstrap_servers());
        let topics: Vec<_> = topics.iter().map(|&(name, partitions)| TopicSpec::new(name, partitions)).collect();
        create_missing(&client, DefaultClientContext, &topics, Duration::from_secs(30)).await?;
        Ok(Self { cluster, _folder: folder })
    }

    /// Where the broker is.
    pub fn bootstrap_servers(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}

/// Whose CPU is counted.
#[derive(Debug, Clone, Copy)]
pub enum Process {
    /// This process's.
    This,
    /// That of the process with this id.
    Other(u32),
}

/// CPU time of a process so far, user and system.
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

/// A stretch of work being measured.
#[derive(Debug)]
pub struct Stretch {
    process: Process,
    wall: Instant,
    cpu: Duration,
}

impl Stretch {
    /// Begins to measure.
    ///
    /// # Errors
    /// Where `/proc` cannot be read.
    pub fn begin(process: Process) -> anyhow::Result<Self> {
        Ok(Self { process, wall: Instant::now(), cpu: cpu_time(process)? })
    }

    /// Ends it after `records` were worked on.
    ///
    /// # Errors
    /// Where `/proc` cannot be read.
    pub fn end(self, records: u64) -> anyhow::Result<Figures> {
        let wall = self.wall.elapsed();
        Ok(Figures { records, wall, cpu: cpu_time(self.process)?.saturating_sub(self.cpu) })
    }
}

/// What a stretch of work took.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    records: u64,
    wall: Duration,
    cpu: Duration,
}

#[allow(clippy::cast_precision_loss)] // figures for people
impl Figures {
    /// Records a second.
    pub fn rate(&self) -> f64 {
        self.records as f64 / self.wall.as_secs_f64()
    }

    /// CPU a record, in microseconds.
    pub fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.records as f64
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.0} records/s {:>7.2} µs CPU a record", self.rate(), self.cpu_micros())
    }
}

/// The middle one of some runs, by rate.
pub fn median(mut runs: Vec<Figures>) -> Option<Figures> {
    runs.sort_by(|a, b| a.rate().total_cmp(&b.rate()));
    runs.get(runs.len() / 2).copied()
}
