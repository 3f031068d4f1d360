//! The batch and the transactional mode on a real Kafka.
#![allow(clippy::unwrap_used)] // a test that cannot go on fails

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millrace_broker::topics::TopicSpec;
use millrace_consumer::{
    Attempt, Batch, BatchError, BatchLimits, BatchProcessor, Consumer, ConsumerError, ConsumerOptions, GroupProtocol,
    OffsetStorage, Outcome, Processor, Refused, Subscription, Transformer, Written,
};
use millrace_kafka::admin::AdminClient;
use millrace_kafka::producer::{ProducerSettings, TransactionalProducer};
use millrace_kafka::{KafkaSettings, OwnedProducerRecord, Producer, Record};
use millrace_testkit::kafka::{self, Isolation, Kafka, RawRecord};
use millrace_testkit::wait::eventually;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Kafka's name for the largest batch that a topic takes.
const MAX_MESSAGE_BYTES: &str = "max.message.bytes";

const BOUND: Duration = Duration::from_secs(60);

/// How long the store in memory takes for a commit.
const STORE_LATENCY: Duration = Duration::from_millis(3);

/// A topic with its dead-letter topic, a topic for what is made of it, and a group.
struct Fixture<'k> {
    kafka: &'k Kafka,
    source: String,
    made: String,
    group: String,
    group_protocol: GroupProtocol,
}

struct Member {
    task: JoinHandle<Result<(), ConsumerError>>,
    stop: CancellationToken,
}

impl Member {
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

impl Fixture<'static> {
    async fn set(partitions: i32) -> Option<Self> {
        Some(Self::on(kafka::shared().await?, partitions).await)
    }
}

impl<'k> Fixture<'k> {
    async fn on(kafka: &'k Kafka, partitions: i32) -> Self {
        let (source, made) = (kafka::unique("source"), kafka::unique("made"));
        let letters = TopicSpec::new(format!("{source}.dlq"), 1);
        kafka.create_topics(&[TopicSpec::new(&source, partitions), TopicSpec::new(&made, partitions), letters]).await;
        let (group, group_protocol) = (kafka::unique("millrace-test"), GroupProtocol::Classic);
        Self { kafka, source, made, group, group_protocol }
    }

    fn consumer(&self) -> (KafkaSettings, Consumer) {
        let settings = KafkaSettings::plaintext(self.kafka.bootstrap_servers());
        let producer = Producer::new(&settings, &ProducerSettings::default()).unwrap();
        let subscription = Subscription { group: self.group.clone(), ..Subscription::new("test", &[&self.source]) };
        let options = ConsumerOptions {
            commit_interval: Duration::from_millis(50),
            batch: BatchLimits { records: 40, ..BatchLimits::default() },
            group_protocol: self.group_protocol,
            ..ConsumerOptions::default()
        };
        (settings.clone(), Consumer::new(settings, subscription, options, producer))
    }

    /// Runs a member that copies records, under a transactional id of its own.
    async fn copier(&self) -> Member {
        let (settings, consumer) = self.consumer();
        let id = kafka::unique("millrace-test");
        let producer = TransactionalProducer::new(&settings, &ProducerSettings::default(), &id).unwrap();
        producer.init_transactions(BOUND).await.unwrap();
        let (copier, stop) = (Copier(self.made.clone()), CancellationToken::new());
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { consumer.run_transactional(&copier, &producer, stop).await }
        });
        Member { task, stop }
    }

    fn keeper(&self, table: &Arc<Mutex<Table>>) -> Member {
        let (_, consumer) = self.consumer();
        let (keeper, stop) = (Keeper(Arc::clone(table)), CancellationToken::new());
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { consumer.run_batches(&keeper, stop).await }
        });
        Member { task, stop }
    }

    /// Begins to commit, in a transaction, where the group is already.
    async fn leave_a_commit_open(&self) -> BaseProducer {
        let committed = self.kafka.committed_offsets(&self.group, &self.source).await;
        let mut offsets = TopicPartitionList::new();
        for (partition, offset) in committed {
            offsets.add_partition_offset(&self.source, partition, Offset::Offset(offset.unwrap())).unwrap();
        }
        let group: BaseConsumer = self.kafka.client().set("group.id", &self.group).create().unwrap();
        let group = group.group_metadata().unwrap();
        let id = kafka::unique("died");
        let mut client = self.kafka.client();
        client.set("transactional.id", id).set("transaction.timeout.ms", "5000");
        let begin = move || {
            let producer: BaseProducer = client.create().unwrap();
            producer.init_transactions(BOUND).unwrap();
            producer.begin_transaction().unwrap();
            producer.send_offsets_to_transaction(&offsets, &group, BOUND).unwrap();
            producer
        };
        tokio::task::spawn_blocking(begin).await.unwrap()
    }

    /// How many members the group has.
    async fn members(&self) -> usize {
        let cluster = AdminClient::new(&KafkaSettings::plaintext(self.kafka.bootstrap_servers())).unwrap();
        let groups = cluster.groups(BOUND).await.unwrap();
        groups.iter().find(|group| group.name == self.group).and_then(|group| group.members).unwrap_or(0)
    }

    async fn lag(&self) -> i64 {
        let committed: i64 = self.kafka.committed_offsets(&self.group, &self.source).await.values().flatten().sum();
        let records = self.kafka.read_all(&self.source, Isolation::Committed).await.len();
        i64::try_from(records).unwrap() - committed
    }

    async fn until_no_lag(&self) {
        eventually(BOUND, "everything is committed", async || (self.lag().await == 0).then_some(())).await;
    }

    async fn letters(&self) -> Vec<(Option<Vec<u8>>, String)> {
        let letters = self.kafka.read_all(&format!("{}.dlq", self.source), Isolation::Committed).await;
        letters
            .iter()
            .map(|letter| (letter.value.clone(), letter.header("dlq.error.reason").unwrap().to_owned()))
            .collect()
    }
}

/// Writes each record again, but for those that say `poison`.
struct Copier(String);

impl Processor for Copier {
    type Product = (Vec<u8>, Vec<u8>);

    async fn process(&self, record: &Record<'_>, _attempt: &Attempt<'_>) -> Outcome<Self::Product> {
        match record.value().unwrap_or_default() {
            value if value.starts_with(b"poison") => Outcome::reject("it says so"),
            value => Outcome::Done((record.key().unwrap_or_default().to_vec(), value.to_vec())),
        }
    }
}

impl Transformer for Copier {
    fn batch_size(&self, ready: usize, _age: Duration) -> usize {
        ready
    }

    fn to_records<'p>(&self, products: impl Iterator<Item = &'p Self::Product>) -> Vec<OwnedProducerRecord> {
        let record = |(key, value): &(Vec<u8>, Vec<u8>)| OwnedProducerRecord {
            topic: self.0.clone().into(),
            key: Some(key.clone()),
            value: Some(value.clone()),
            headers: OwnedHeaders::new(),
        };
        products.map(record).collect()
    }
}

/// A store of rows and offsets, both in memory.
#[derive(Default)]
struct Table {
    rows: Vec<String>,
    offsets: BTreeMap<i32, i64>,
    /// Whether connections break: of three commits one is not answered and did not take place, one is not answered and
    /// did.
    breaks: bool,
    commits: usize,
}

/// Stores values, but for those that say `refuse`.
struct Keeper(Arc<Mutex<Table>>);

struct Pending {
    rows: Vec<String>,
    partition: i32,
    expected: Option<i64>,
    next: i64,
}

impl BatchProcessor for Keeper {
    const OFFSETS: OffsetStorage = OffsetStorage::Store;

    type Row<'r> = String;
    type Pending = Pending;

    async fn resume(&self, _topic: &str, partition: i32) -> Result<Option<i64>, BatchError> {
        Ok(self.0.lock().unwrap().offsets.get(&partition).copied())
    }

    fn read(&self, record: &Record<'_>) -> Result<String, String> {
        match String::from_utf8_lossy(record.value().unwrap_or_default()) {
            value if value.starts_with("unreadable") => Err("nobody can read it".to_owned()),
            value => Ok(value.into_owned()),
        }
    }

    async fn write(
        &self,
        batch: &Batch<'_, Self::Row<'_>>,
        _attempt: &Attempt<'_>,
    ) -> Result<Written<Pending>, BatchError> {
        let refused = batch.rows.iter().enumerate().filter(|(_, value)| *value == "refuse");
        let refused = refused.map(|(index, _)| Refused { index, reason: "no room for it".to_owned() }).collect();
        let rows = batch.rows.to_vec();
        let Batch { partition, expected, next, .. } = *batch;
        Ok(Written { pending: Pending { rows, partition, expected, next }, refused })
    }

    async fn commit(&self, pending: Pending) -> Result<(), BatchError> {
        // Meanwhile the next records come.
        tokio::time::sleep(STORE_LATENCY).await;
        let mut table = self.0.lock().unwrap();
        table.commits += 1;
        let fate = if table.breaks { table.commits % 3 } else { 0 };
        let lost = || BatchError::Unavailable { reason: "the connection broke".to_owned() };
        if fate == 1 {
            return Err(lost());
        }
        if table.offsets.get(&pending.partition).copied() != pending.expected {
            return Err(BatchError::OffsetConflict);
        }
        table.rows.extend(pending.rows);
        table.offsets.insert(pending.partition, pending.next);
        if fate == 2 { Err(lost()) } else { Ok(()) }
    }
}

/// Takes values, in batches, and keeps no offsets. Every third batch is not taken at first; some values never are.
#[derive(Clone, Default)]
struct Taker {
    taken: Arc<Mutex<Vec<Vec<String>>>>,
    tries: Arc<AtomicUsize>,
}

impl BatchProcessor for Taker {
    const OFFSETS: OffsetStorage = OffsetStorage::Group;

    type Row<'r> = String;
    type Pending = ();

    fn read(&self, record: &Record<'_>) -> Result<String, String> {
        match String::from_utf8_lossy(record.value().unwrap_or_default()) {
            value if value.starts_with("unreadable") => Err("nobody can read it".to_owned()),
            value => Ok(value.into_owned()),
        }
    }

    async fn write(&self, batch: &Batch<'_, Self::Row<'_>>, attempt: &Attempt<'_>) -> Result<Written<()>, BatchError> {
        assert_eq!(batch.expected, None, "it keeps no offsets");
        attempt.until_revoked(tokio::time::sleep(STORE_LATENCY)).await;
        if self.tries.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
            return Err(BatchError::Unavailable { reason: "it is busy".to_owned() });
        }
        let is_refused = |value: &str| value == "refuse";
        let indexes = (0..batch.rows.len()).filter(|&index| is_refused(&batch.rows[index]));
        let refused = indexes.map(|index| Refused { index, reason: "no room for it".to_owned() }).collect();
        let taken = batch.rows.iter().filter(|value| !is_refused(value)).cloned().collect();
        self.taken.lock().unwrap().push(taken);
        Ok(Written { pending: (), refused })
    }

    async fn commit(&self, (): ()) -> Result<(), BatchError> {
        Ok(())
    }
}

fn record(key: usize, value: impl Into<Vec<u8>>) -> RawRecord {
    RawRecord::new(value).key(format!("key-{key}"))
}

fn numbers(range: std::ops::Range<usize>) -> impl Iterator<Item = RawRecord> {
    range.map(|number| record(number % 31, number.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_is_copied_exactly_once_through_rebalances() {
    let Some(fixture) = Fixture::set(6).await else { return };
    copies_through_rebalances(&fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consumer_protocol_copies_exactly_once_too() {
    let Some(fixture) = Fixture::set(6).await else { return };
    copies_through_rebalances(&Fixture { group_protocol: GroupProtocol::Consumer, ..fixture }).await;
}

/// Where the group keeps the offsets, a member goes on where the one before it was committed, and what a batch may come to
/// twice after is no more than what was in flight.
#[tokio::test(flavor = "multi_thread")]
async fn batches_go_on_at_the_groups_offsets() {
    let Some(fixture) = Fixture::set(3).await else { return };
    let taker = Taker::default();
    let start = || {
        let (_, consumer) = fixture.consumer();
        let (taker, stop) = (taker.clone(), CancellationToken::new());
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { consumer.run_batches(&taker, stop).await }
        });
        Member { task, stop }
    };
    fixture.kafka.produce(&fixture.source, numbers(0..450)).await;
    fixture.kafka.produce(&fixture.source, [record(1, "unreadable"), record(2, "refuse")]).await;
    fixture.kafka.produce(&fixture.source, numbers(450..900)).await;
    let first = start();
    fixture.until_no_lag().await;
    first.stop().await;
    let sorted = || {
        let mut values: Vec<usize> =
            taker.taken.lock().unwrap().iter().flatten().map(|value| value.parse().unwrap()).collect();
        values.sort_unstable();
        values
    };
    assert!(sorted().into_iter().eq(0..900), "each once: nothing went wrong after it was taken");
    assert!(taker.taken.lock().unwrap().iter().all(|rows| rows.len() <= 40), "no batch beyond its limit");

    fixture.kafka.produce(&fixture.source, numbers(900..1_800)).await;
    let (second, third) = (start(), start());
    fixture.until_no_lag().await;
    second.stop().await;
    third.stop().await;
    let mut values = sorted();
    assert!(values.len() < 2_700, "it did not begin anew: {}", values.len());
    values.dedup();
    assert!(values.into_iter().eq(0..1_800));
    let mut letters = fixture.letters().await;
    letters.sort_unstable();
    let expected = [("refuse", "no room for it"), ("unreadable", "nobody can read it")];
    assert_eq!(letters, expected.map(|(value, reason)| (Some(value.as_bytes().to_vec()), reason.to_owned())));
}

/// Members come, go in good order, and are cut off, and each record is copied once and in its key's order.
async fn copies_through_rebalances(fixture: &Fixture<'_>) {
    let mut members = vec![fixture.copier().await];
    for round in 0..5 {
        fixture.kafka.produce(&fixture.source, numbers(round * 2_000..(round + 1) * 2_000)).await;
        members.push(fixture.copier().await);
        if round % 2 == 1 {
            // One goes in good order, one at once: what it had begun is aborted.
            members.remove(0).stop().await;
            members.remove(0).task.abort();
        }
    }
    fixture.until_no_lag().await;
    for member in members {
        member.stop().await;
    }

    let copies = fixture.kafka.read_all(&fixture.made, Isolation::Committed).await;
    let mut by_key: BTreeMap<Vec<u8>, Vec<usize>> = BTreeMap::new();
    for copy in copies {
        let number = String::from_utf8(copy.value.unwrap()).unwrap().parse().unwrap();
        by_key.entry(copy.key.unwrap()).or_default().push(number);
    }
    for (key, copied) in &by_key {
        assert!(copied.is_sorted(), "{}: {copied:?}", String::from_utf8_lossy(key));
    }
    let mut all: Vec<_> = by_key.into_values().flatten().collect();
    all.sort_unstable();
    assert_eq!(all, (0..10_000).collect::<Vec<_>>());
}

/// A member that died in the middle of a commit leaves it open: until it is settled nobody knows where to go on. What
/// librdkafka finds out by itself in a rebalance meanwhile is "nothing committed", and it would begin anew.
#[tokio::test(flavor = "multi_thread")]
async fn an_unstable_commit_is_waited_for_through_a_rebalance() {
    let Some(fixture) = Fixture::set(4).await else { return };
    fixture.kafka.produce(&fixture.source, numbers(0..400)).await;
    let first = fixture.copier().await;
    fixture.until_no_lag().await;
    first.stop().await;
    let _unfinished = fixture.leave_a_commit_open().await;

    let mut members = Vec::new();
    for count in 1..=2 {
        members.push(fixture.copier().await);
        eventually(BOUND, "the member joins", async || (fixture.members().await == count).then_some(())).await;
    }
    fixture.kafka.produce(&fixture.source, numbers(400..500)).await;
    fixture.until_no_lag().await;
    for member in members {
        member.stop().await;
    }
    let records = fixture.kafka.read_all(&fixture.made, Isolation::Committed).await;
    let mut copies: Vec<usize> = records.iter().map(|record| record.value_text().unwrap().parse().unwrap()).collect();
    copies.sort_unstable();
    assert_eq!(copies, (0..500).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_keeps_no_text_with_offsets_takes_transactions() {
    let cluster = kafka::dedicated(|broker| broker.property("offset.metadata.max.bytes", "4")).await;
    let Some(kafka) = cluster else { return };
    let fixture = Fixture::on(&kafka, 1).await;
    kafka.produce(&fixture.source, numbers(0..100)).await;
    let member = fixture.copier().await;
    fixture.until_no_lag().await;
    member.stop().await;
    assert_eq!(kafka.read_all(&fixture.made, Isolation::Committed).await.len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_dead_lettered_in_its_transaction() {
    let Some(fixture) = Fixture::set(1).await else { return };
    fixture.kafka.produce(&fixture.source, [record(1, "a"), record(1, "poison"), record(1, ""), record(1, "b")]).await;
    let member = fixture.copier().await;
    fixture.until_no_lag().await;
    member.stop().await;
    let copies = fixture.kafka.read_all(&fixture.made, Isolation::Committed).await;
    let copies: Vec<_> = copies.into_iter().map(|copy| copy.value.unwrap()).collect();
    assert_eq!(copies, [b"a", b"b"]);
    let letters = [(&b"poison"[..], "it says so"), (b"", "the value is empty")];
    assert_eq!(fixture.letters().await, letters.map(|(value, reason)| (Some(value.to_vec()), reason.to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_keeps_its_good_rows_and_follows_the_store() {
    let Some(fixture) = Fixture::set(3).await else { return };
    let table: Arc<Mutex<Table>> = Arc::default();
    fixture.kafka.produce(&fixture.source, numbers(0..3_000)).await;
    fixture.kafka.produce(&fixture.source, ["refuse", "", "unreadable"].map(|value| record(1, value))).await;
    let member = fixture.keeper(&table);
    fixture.until_no_lag().await;
    member.stop().await;
    let mut reasons: Vec<_> = fixture.letters().await.into_iter().map(|(_, reason)| reason).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["no room for it", "nobody can read it", "the value is empty"]);

    // A store that was put back to its beginning is filled again, and no row is there twice.
    let before = std::mem::take(&mut *table.lock().unwrap());
    fixture.kafka.produce(&fixture.source, numbers(3_000..3_100)).await;
    let member = fixture.keeper(&table);
    let count = || table.lock().unwrap().rows.len();
    eventually(BOUND, "all rows are stored again", async || (count() == 3_100).then_some(())).await;
    member.stop().await;
    let mut rows: Vec<usize> = table.lock().unwrap().rows.iter().map(|row| row.parse().unwrap()).collect();
    rows.sort_unstable();
    assert_eq!(rows, (0..3_100).collect::<Vec<_>>());
    assert_eq!(before.rows.len(), 3_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_somebody_else_moved_on_is_followed() {
    let Some(fixture) = Fixture::set(1).await else { return };
    let table: Arc<Mutex<Table>> = Arc::default();
    fixture.kafka.produce(&fixture.source, numbers(0..100)).await;
    let member = fixture.keeper(&table);
    fixture.until_no_lag().await;
    // Records 100 to 149 are stored by another process.
    table.lock().unwrap().offsets.insert(0, 150);
    fixture.kafka.produce(&fixture.source, numbers(100..200)).await;
    let last = || table.lock().unwrap().rows.last().cloned();
    eventually(BOUND, "the last row is stored", async || (last().as_deref() == Some("199")).then_some(())).await;
    member.stop().await;
    let expected: Vec<_> = (0..100).chain(150..200).map(|number| number.to_string()).collect();
    assert_eq!(table.lock().unwrap().rows, expected);
}

/// What waits behind a batch that was not stored must not be stored before it: it would take the offset over it.
#[tokio::test(flavor = "multi_thread")]
async fn no_row_is_lost_or_repeated_while_commits_are_unanswered() {
    let Some(fixture) = Fixture::set(3).await else { return };
    stores_through_unanswered_commits(&fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consumer_protocol_loses_and_repeats_no_row() {
    let Some(fixture) = Fixture::set(3).await else { return };
    stores_through_unanswered_commits(&Fixture { group_protocol: GroupProtocol::Consumer, ..fixture }).await;
}

/// Two members share the partitions.
async fn stores_through_unanswered_commits(fixture: &Fixture<'_>) {
    let table: Arc<Mutex<Table>> = Arc::default();
    table.lock().unwrap().breaks = true;
    fixture.kafka.produce(&fixture.source, numbers(0..6_000)).await;
    let members = [fixture.keeper(&table), fixture.keeper(&table)];
    fixture.until_no_lag().await;
    table.lock().unwrap().breaks = false;
    for member in members {
        member.stop().await;
    }
    let mut rows: Vec<usize> = table.lock().unwrap().rows.iter().map(|row| row.parse().unwrap()).collect();
    rows.sort_unstable();
    assert_eq!(rows, (0..6_000).collect::<Vec<_>>());
}

/// A topic whose limit was raised after its dead-letter topic was made, and is raised once more while a member runs: a
/// poison record of each size is dead-lettered, byte for byte, and the rest is done.
async fn assert_large_poison_is_dead_lettered(fixture: &Fixture<'_>, member: Member, poison: &str) {
    let admin = AdminClient::new(&KafkaSettings::plaintext(fixture.kafka.bootstrap_servers())).unwrap();
    let letters = format!("{}.dlq", fixture.source);
    let mut expected = Vec::new();
    for mib in [2, 4] {
        let limit = mib << 20;
        admin.set_topic_setting(&fixture.source, MAX_MESSAGE_BYTES, limit.to_string(), BOUND).await.unwrap();
        let value = format!("{poison}{}", "x".repeat(limit - 1_000));
        fixture.kafka.produce(&fixture.source, [record(1, value.clone()), record(1, "a"), record(2, "b")]).await;
        expected.push(Some(value.into_bytes()));
        fixture.until_no_lag().await;
        let raised = admin.topic_setting(&letters, MAX_MESSAGE_BYTES, BOUND).await.unwrap();
        assert_eq!(raised, Some((limit + 65_536).to_string()));
    }
    member.stop().await;
    let values: Vec<_> = fixture.letters().await.into_iter().map(|(value, _)| value).collect();
    assert!(values == expected, "byte for byte, each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_larger_than_its_topic_takes_goes_with_a_transaction() {
    let Some(fixture) = Fixture::set(1).await else { return };
    let member = fixture.copier().await;
    assert_large_poison_is_dead_lettered(&fixture, member, "poison").await;
    let copies = fixture.kafka.read_all(&fixture.made, Isolation::Committed).await;
    assert_eq!(copies.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_larger_than_its_topic_takes_holds_up_no_batch() {
    let Some(fixture) = Fixture::set(1).await else { return };
    let table: Arc<Mutex<Table>> = Arc::default();
    let member = fixture.keeper(&table);
    assert_large_poison_is_dead_lettered(&fixture, member, "unreadable").await;
    assert_eq!(table.lock().unwrap().rows, ["a", "b", "a", "b"]);
}
