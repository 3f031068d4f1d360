//! Topics, records and processes of one crash, and what all modes promise after it.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_broker::topics::TopicSpec;
use millrace_testkit::eventually;
use millrace_testkit::kafka::{self, Isolation, Kafka};
use tempfile::TempDir;

use crate::crash::Crash;
use crate::load::{self, Load};
use crate::process::{Job, Mode, Process};

/// How long anything may take on a busy machine.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// Of the source and of what is made of it.
const PARTITIONS: i32 = 3;

/// The run that crashes.
pub(crate) const FIRST: usize = 1;

/// The run that takes its place.
pub(crate) const SECOND: usize = 2;

/// A topic, a group and a store of one test, and what a crashed process left of them.
pub(crate) struct Fixture {
    pub(crate) kafka: &'static Kafka,
    /// What stands on the source.
    pub(crate) load: Load,
    /// The jobs of its processes, but for which run it is.
    pub(crate) job: Job,
    _folder: TempDir,
}

impl Fixture {
    /// A fixture with all its records.
    pub(crate) async fn set(kafka: &'static Kafka, mode: Mode) -> Self {
        let (source, output) = (kafka::unique("source"), kafka::unique("output"));
        let letters = TopicSpec::new(format!("{source}.dlq"), 1);
        kafka.create_topics(&[TopicSpec::new(&source, PARTITIONS), TopicSpec::new(&output, PARTITIONS), letters]).await;
        let records = load::records();
        let places = kafka.produce(&source, records.clone()).await;
        let folder = tempfile::tempdir().unwrap();
        let job = Job {
            mode,
            bootstrap_servers: kafka.bootstrap_servers().to_owned(),
            source,
            output,
            group: kafka::unique("millrace-test"),
            folder: folder.path().to_owned(),
            run: FIRST,
        };
        Self { kafka, load: load::placed(records, &places), job, _folder: folder }
    }

    /// Lets a first process come as far as its crash.
    pub(crate) async fn crash(&self, crash: Crash) {
        Process::start(&self.job, Some(crash)).crashed(crash).await;
    }

    /// Lets a second process do the rest, and stop.
    pub(crate) async fn finish(&self) {
        let process = Process::start(&Job { run: SECOND, ..self.job.clone() }, None);
        let ends = self.ends().await;
        let committed = async || (self.committed().await == ends).then_some(());
        eventually(BOUND, "everything is committed", committed).await;
        process.stop().await;
        assert_eq!(self.committed().await, ends, "a stop takes nothing back");
    }

    /// The end of each partition of the source.
    pub(crate) async fn ends(&self) -> BTreeMap<i32, i64> {
        self.kafka.end_offsets(&self.job.source).await
    }

    /// How far the group has committed each partition; 0 where it has not.
    pub(crate) async fn committed(&self) -> BTreeMap<i32, i64> {
        let committed = self.kafka.committed_offsets(&self.job.group, &self.job.source).await;
        committed.into_iter().map(|(partition, offset)| (partition, offset.unwrap_or(0))).collect()
    }

    /// The places of records that are to be processed.
    pub(crate) fn sound(&self) -> Vec<(i32, i64)> {
        self.load.iter().filter(|(_, record)| load::is_sound(record)).map(|(&place, _)| place).collect()
    }

    /// The places of records that are to be refused.
    pub(crate) fn poison(&self) -> Vec<(i32, i64)> {
        self.load.iter().filter(|(_, record)| !load::is_sound(record)).map(|(&place, _)| place).collect()
    }

    /// The places of records that have a letter, once for each of them. Every letter is its record byte for byte.
    pub(crate) async fn lettered(&self) -> Vec<(i32, i64)> {
        let letters = self.kafka.read_all(&format!("{}.dlq", self.job.source), Isolation::Committed).await;
        let mut places: Vec<_> = letters
            .into_iter()
            .map(|letter| {
                let (place, original) = load::original(letter);
                assert_eq!(Some(&original), self.load.get(&place), "a letter is the record byte for byte");
                place
            })
            .collect();
        places.sort_unstable();
        places
    }
}
