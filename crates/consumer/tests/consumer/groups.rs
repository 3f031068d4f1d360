//! Groups of processes that read several topics: who gets what, under both group protocols.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millrace_broker::topics::TopicSpec;
use millrace_consumer::{
    Attempt, Consumer, ConsumerError, ConsumerOptions, GroupProtocol, Outcome, Processor, Progress, Subscription,
};
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer, Record};
use millrace_testkit::kafka::{self, Kafka, RawRecord};
use millrace_testkit::wait::eventually;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use tokio_util::sync::CancellationToken;

use crate::fixture::{BOUND, Fixture, Member};

const PARTITIONS: i32 = 3;

/// How many keys a partition's records have.
const KEYS: usize = 4;

type TopicPartition = (String, i32);

/// What all processes together have done.
#[derive(Default)]
struct Seen {
    /// Which process took the last record of a partition.
    owners: BTreeMap<TopicPartition, usize>,
    /// The numbers that were processed, by partition and key.
    numbers: BTreeMap<(TopicPartition, Vec<u8>), Vec<usize>>,
}

/// One process: notes what it processes, and takes a moment for it.
struct Process {
    number: usize,
    seen: Arc<Mutex<Seen>>,
}

impl Processor for Process {
    type Product = ();

    async fn process(&self, record: &Record<'_>, _attempt: &Attempt<'_>) -> Outcome {
        tokio::time::sleep(Duration::from_millis(3)).await;
        let number = String::from_utf8_lossy(record.value().unwrap()).parse().unwrap();
        let partition = (record.topic().to_owned(), record.partition());
        let mut seen = self.seen.lock().unwrap();
        seen.owners.insert(partition.clone(), self.number);
        seen.numbers.entry((partition, record.key().unwrap().to_vec())).or_default().push(number);
        Outcome::DONE
    }
}

/// A group of processes that read two topics.
struct Processes<'k> {
    kafka: &'k Kafka,
    topics: [String; 2],
    group: String,
    options: ConsumerOptions,
    seen: Arc<Mutex<Seen>>,
    running: BTreeMap<usize, Member>,
}

impl<'k> Processes<'k> {
    async fn on(kafka: &'k Kafka, group_protocol: GroupProtocol) -> Self {
        let topics = ["notifications", "payments"].map(kafka::unique);
        kafka.create_topics(&topics.clone().map(|topic| TopicSpec::new(topic, PARTITIONS))).await;
        Self {
            kafka,
            topics,
            group: kafka::unique("millrace-test"),
            options: ConsumerOptions { group_protocol, ..Fixture::options() },
            seen: Arc::default(),
            running: BTreeMap::new(),
        }
    }

    /// Starts a process, whose static id is its number's where there are static ids.
    fn start(&mut self, number: usize) -> Arc<Progress> {
        let settings = KafkaSettings::plaintext(self.kafka.bootstrap_servers());
        let producer = Producer::new(&settings, &ProducerSettings::default()).unwrap();
        let topics = self.topics.each_ref().map(String::as_str);
        let subscription = Subscription { group: self.group.clone(), ..Subscription::new("test", &topics) };
        let group_instance_id = self.options.group_instance_id.as_ref().map(|prefix| format!("{prefix}-{number}"));
        let options = ConsumerOptions { group_instance_id, ..self.options.clone() };
        let consumer = Consumer::new(settings, subscription, options, producer);
        let (progress, stop) = (consumer.progress(), CancellationToken::new());
        let process = Process { number, seen: Arc::clone(&self.seen) };
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { consumer.run_keyed(&process, None, stop).await }
        });
        self.running.insert(number, Member { task, stop });
        progress
    }

    /// Starts or stops processes until these run, and waits until each topic is spread evenly over them.
    async fn become_spread_over(&mut self, numbers: &[usize]) {
        let wanted: BTreeSet<usize> = numbers.iter().copied().collect();
        let running: BTreeSet<usize> = self.running.keys().copied().collect();
        for leaving in running.difference(&wanted) {
            self.running.remove(leaving).unwrap().stop().await;
        }
        let progresses: Vec<_> = wanted.difference(&running).map(|&number| self.start(number)).collect();
        for progress in progresses {
            tokio::time::timeout(BOUND, progress.joined()).await.expect("the process joins the group");
        }
        let what = format!("each topic is spread over {numbers:?}");
        eventually(BOUND, &what, async || self.is_spread_over(&wanted).then_some(())).await;
    }

    fn is_spread_over(&self, processes: &BTreeSet<usize>) -> bool {
        let seen = self.seen.lock().unwrap();
        self.topics.iter().all(|topic| {
            let owners: Vec<_> = (0..PARTITIONS).filter_map(|index| seen.owners.get(&(topic.clone(), index))).collect();
            let counts = processes.iter().map(|process| owners.iter().filter(|owner| **owner == process).count());
            let (least, most) = (counts.clone().min().unwrap(), counts.clone().max().unwrap());
            counts.sum::<usize>() == usize::try_from(PARTITIONS).unwrap() && most - least <= 1
        })
    }

    /// How many records were processed.
    fn processed(&self) -> usize {
        self.seen.lock().unwrap().numbers.values().map(Vec::len).sum()
    }

    /// Writes to every partition until `stop`; how many records of each key there are.
    async fn load(kafka: &Kafka, topics: &[String], stop: CancellationToken) -> usize {
        for round in 0.. {
            if stop.is_cancelled() {
                return round;
            }
            for topic in topics {
                let record =
                    |partition, key| RawRecord::new(round.to_string()).key(format!("key-{key}")).partition(partition);
                let records = (0..PARTITIONS).flat_map(|partition| (0..KEYS).map(move |key| record(partition, key)));
                kafka.produce(topic, records).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        0
    }

    /// Processes come and go under load: each topic is spread evenly each time, and every record is processed once and in
    /// the order of its key.
    async fn comes_and_goes(mut self) {
        let (stop, topics) = (CancellationToken::new(), self.topics.clone());
        let load = Self::load(self.kafka, &topics, stop.clone());
        let changes = async {
            for numbers in
                [&[1][..], &[1, 2], &[1, 2, 3], &[1, 2, 3, 4, 5, 6], &[2, 4, 5, 6], &[6, 2], &[7, 2, 8], &[8]]
            {
                self.become_spread_over(numbers).await;
            }
            stop.cancel();
        };
        let (rounds, ()) = tokio::join!(load, changes);
        self.finish(rounds).await;
    }

    async fn stop_all(&mut self) {
        for member in std::mem::take(&mut self.running).into_values() {
            member.stop().await;
        }
    }

    /// Stops all once everything is processed: each record once, and in the order of its key.
    async fn finish(mut self, rounds: usize) {
        let total = rounds * KEYS * 2 * usize::try_from(PARTITIONS).unwrap();
        eventually(BOUND, "every record is processed", async || (self.processed() >= total).then_some(())).await;
        self.stop_all().await;
        let expected: Vec<_> = (0..rounds).collect();
        for (key, numbers) in &self.seen.lock().unwrap().numbers {
            assert_eq!(*numbers, expected, "{key:?}");
        }
        assert_eq!(self.processed(), total);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_topic_is_spread_evenly_over_the_processes() {
    let Some(kafka) = kafka::shared().await else { return };
    Processes::on(kafka, GroupProtocol::Classic).await.comes_and_goes().await;
}

/// An older version had one member for all topics. It may be in the group beside newer ones, and is replaced under its
/// static id without waiting for its session to time out.
#[tokio::test(flavor = "multi_thread")]
async fn a_live_group_is_upgraded_process_by_process() {
    let Some(kafka) = kafka::shared().await else { return };
    let mut group = Processes::on(kafka, GroupProtocol::Classic).await;
    group.options.group_instance_id = Some("slot".to_owned());
    let mut older = kafka.client();
    older.set("group.id", &group.group).set("group.instance.id", "slot-1").set("session.timeout.ms", "300000");
    older.set("partition.assignment.strategy", "cooperative-sticky").set("enable.auto.commit", "false");
    let older: StreamConsumer = older.create().unwrap();
    older.subscribe(&group.topics.each_ref().map(String::as_str)).unwrap();
    eventually(BOUND, "the older process joins", async || {
        let _ = tokio::time::timeout(Duration::from_millis(100), older.recv()).await;
        (older.assignment().unwrap().count() == 6).then_some(())
    })
    .await;

    let (stop, topics) = (CancellationToken::new(), group.topics.clone());
    let load = Processes::load(kafka, &topics, stop.clone());
    let upgrade = async {
        let second = group.start(2);
        tokio::select! {
            () = second.joined() => {}
            () = async { while older.recv().await.is_ok() {} } => panic!("the older process cannot go on"),
        }
        tokio::task::spawn_blocking(move || drop(older)).await.unwrap();
        group.become_spread_over(&[1, 2]).await;
        stop.cancel();
    };
    let (rounds, ()) = tokio::join!(load, upgrade);
    let total = rounds * KEYS * 2 * usize::try_from(PARTITIONS).unwrap();
    eventually(BOUND, "every record is processed", async || (group.processed() == total).then_some(())).await;
    group.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consumer_protocol_spreads_loses_and_repeats_nothing() {
    let heartbeat = "group.consumer.min.heartbeat.interval.ms";
    let cluster = kafka::dedicated(|broker| {
        broker.property(heartbeat, "500").property("group.consumer.heartbeat.interval.ms", "500")
    });
    let Some(kafka) = cluster.await else { return };
    Processes::on(&kafka, GroupProtocol::Consumer).await.comes_and_goes().await;
}

/// Kafka refuses to move it while it has members of the classic protocol that have been through a rebalance.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_group_moves_to_the_consumer_protocol_and_back() {
    let Some(kafka) = kafka::shared().await else { return };
    let mut group = Processes::on(kafka, GroupProtocol::Classic).await;
    let (stop, topics) = (CancellationToken::new(), group.topics.clone());
    let load = Processes::load(kafka, &topics, stop.clone());
    let moves = async {
        for protocol in [GroupProtocol::Classic, GroupProtocol::Consumer, GroupProtocol::Classic] {
            group.options.group_protocol = protocol;
            for numbers in [&[1][..], &[1, 2], &[2]] {
                group.become_spread_over(numbers).await;
            }
            group.stop_all().await;
        }
        group.become_spread_over(&[3]).await;
        stop.cancel();
    };
    let (rounds, ()) = tokio::join!(load, moves);
    group.finish(rounds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_without_the_consumer_protocol_is_told() {
    let cluster = kafka::dedicated(|broker| broker.property("group.coordinator.rebalance.protocols", "classic")).await;
    let Some(kafka) = cluster else { return };
    let mut group = Processes::on(&kafka, GroupProtocol::Consumer).await;
    group.start(1);
    let process = group.running.remove(&1).unwrap();
    let ended = tokio::time::timeout(BOUND, process.task).await.expect("the consumer ends").unwrap();
    assert!(matches!(ended, Err(ConsumerError::GroupProtocol)), "{ended:?}");
}

/// The rest of the group does not wait for a topic that nobody has made.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_topic_does_not_hold_up_the_others() {
    let Some(kafka) = kafka::shared().await else { return };
    let mut group = Processes::on(kafka, GroupProtocol::Classic).await;
    group.topics[1] = kafka::unique("missing");
    let progress = group.start(1);
    tokio::time::timeout(BOUND, progress.joined()).await.expect("the process counts as joined");
    kafka.produce(&group.topics[0], [RawRecord::new("0").key("a")]).await;
    eventually(BOUND, "the record is processed", async || (group.processed() == 1).then_some(())).await;
    group.running.remove(&1).unwrap().stop().await;
}
