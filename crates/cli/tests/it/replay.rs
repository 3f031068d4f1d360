//! `millrace replay`: what goes back, and what stays.

use std::collections::BTreeMap;

use millrace_broker::topics::TopicSpec;
use millrace_testkit::Kafka;
use millrace_testkit::kafka::{self, Isolation, RawRecord};

use crate::millrace::{Ended, Millrace};

/// A topic with its dead-letter topic.
pub(crate) struct Topics {
    pub(crate) source: String,
    pub(crate) letters: String,
}

impl Topics {
    pub(crate) async fn create(kafka: &Kafka, prefix: &str, partitions: i32) -> Self {
        let source = kafka.create_unique_topic(prefix, partitions).await;
        let letters = format!("{source}.dlq");
        kafka.create_topics(&[TopicSpec::new(&letters, 1)]).await;
        Self { source, letters }
    }

    /// A record as its dead letter.
    pub(crate) fn letter(&self, record: RawRecord, offset: usize, class: &str, reason: &str) -> RawRecord {
        let offset_text = offset.to_string();
        let headers = [
            ("dlq.topic", self.source.as_str()),
            ("dlq.partition", if offset.is_multiple_of(2) { "0" } else { "1" }),
            ("dlq.offset", &offset_text),
            ("dlq.timestamp", "1769860800000"),
            ("dlq.group", "millrace-test"),
            ("dlq.attempts", "5"),
            ("dlq.error.class", class),
            ("dlq.error.reason", reason),
        ];
        headers.into_iter().fold(record, |record, (name, value)| record.header(name, value))
    }

    /// What is on the source topic: how often each value.
    pub(crate) async fn replayed(&self, kafka: &Kafka) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for record in kafka.read_all(&self.source, Isolation::Committed).await {
            *counts.entry(record.value_text().unwrap().to_owned()).or_default() += 1;
        }
        counts
    }
}

pub(crate) fn replay(kafka: &Kafka, topics: &Topics, more: &[&str]) -> Millrace {
    Millrace::new(
        ["replay", &topics.letters, "--kafka", kafka.bootstrap_servers()].into_iter().chain(more.iter().copied()),
    )
}

async fn run(kafka: &Kafka, topics: &Topics, more: &[&str]) -> Ended {
    replay(kafka, topics, more).run().await
}

/// Each of these once.
fn once<'a>(values: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, usize> {
    values.into_iter().map(|value| (value.to_owned(), 1)).collect()
}

#[tokio::test]
async fn a_letter_goes_back_byte_for_byte_with_the_id_it_had() {
    let Some(kafka) = kafka::shared().await else { return };
    let topics = Topics::create(kafka, "replay-bytes", 1).await;
    let mut odd = RawRecord::new([0x00, 0xff, b'\n']).key([0xfe, 0x00]).header("b", "2").header("a", [0xff]);
    odd.headers.push(("b".to_owned(), None));
    let odd = odd.header("b", "1").header("", "").header("dlqish", "own");
    let empty = RawRecord { key: Some(Vec::new()), value: Some(Vec::new()), ..RawRecord::default() };
    let originals = [odd, RawRecord::default().header("only", "header"), empty];
    let letters = originals.iter().enumerate().map(|(n, record)| topics.letter(record.clone(), n, "permanent", "no"));
    kafka.produce(&topics.letters, letters).await;

    let ended = run(kafka, &topics, &[]).await;

    assert_eq!(ended.stderr, "");
    assert_eq!(ended.ok(), "replayed 3, passed over 0, failed 0, remaining 0\n");
    let back = kafka.read_all(&topics.source, Isolation::Committed).await;
    let back = back.into_iter().map(|record| (record.key, record.value, record.headers));
    let originals = originals.into_iter().enumerate().map(|(n, record)| {
        let id = format!("{}-{}-{n}", topics.source, n % 2);
        let record = record.header("ce_id", id).header("replay.timestamp", "1769860800000");
        let record = record.header("ce_time", "2026-01-31T12:00:00Z");
        (record.key, record.value, record.headers)
    });
    assert_eq!(back.collect::<Vec<_>>(), originals.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_letter_goes_back_to_its_partition_whatever_its_key() {
    let Some(kafka) = kafka::shared().await else { return };
    let topics = Topics::create(kafka, "replay-partition", 2).await;
    let letters = (0..4).map(|n| topics.letter(RawRecord::new(n.to_string()).key("k"), n, "permanent", "no"));
    kafka.produce(&topics.letters, letters).await;

    run(kafka, &topics, &[]).await.ok();

    let back = kafka.read_all(&topics.source, Isolation::Committed).await;
    let back: Vec<_> = back.iter().map(|record| (record.partition, record.value_text().unwrap())).collect();
    assert_eq!(back, [(0, "0"), (0, "2"), (1, "1"), (1, "3")]);
}

#[tokio::test]
async fn a_letter_of_a_letter_goes_to_where_the_record_came_from() {
    let Some(kafka) = kafka::shared().await else { return };
    let topics = Topics::create(kafka, "replay-twice", 2).await;
    let of_letter = Topics { source: topics.letters.clone(), letters: format!("{}.dlq", topics.letters) };
    kafka.create_topics(&[TopicSpec::new(&of_letter.letters, 1)]).await;
    let record = RawRecord::new("1").header("ce_id", "a").header("ce_time", "b");
    let twice = of_letter.letter(topics.letter(record.clone(), 3, "permanent", "no"), 4, "permanent", "no letter");
    let once = of_letter.letter(RawRecord::new("2"), 5, "permanent", "no letter");
    kafka.produce(&of_letter.letters, [twice, once]).await;

    let ended = run(kafka, &of_letter, &[]).await;

    assert_eq!((ended.code, &*ended.stdout), (Some(1), "replayed 1, passed over 0, failed 1, remaining 1\n"));
    assert!(ended.stderr.contains("no older dlq.* headers say where that had it from"), "{ended:?}");
    let back = kafka.read_all(&topics.source, Isolation::Committed).await;
    let back: Vec<_> = back.into_iter().map(|record| (record.partition, record.value, record.headers)).collect();
    assert_eq!(back, [(1, record.value, record.headers)]);
    assert!(kafka.read_all(&topics.letters, Isolation::Committed).await.is_empty());
}

#[tokio::test]
async fn what_filters_pass_over_stays_for_later_and_nothing_goes_back_twice() {
    let Some(kafka) = kafka::shared().await else { return };
    let topics = Topics::create(kafka, "replay-filters", 2).await;
    let letter = |n: usize, class, reason: &str| {
        let value = format!("v{n}");
        topics.letter(RawRecord::new(value.clone()).key(value.clone()).header("ce_id", value), n, class, reason)
    };
    let letters = [
        letter(0, "permanent", "not an object"),
        letter(1, "transient", "the bank answered 503"),
        letter(2, "transient", "the bank answered 503"),
        letter(3, "permanent", "no user_id"),
        letter(4, "transient", "time-out"),
    ];
    let empty = format!("nothing to replay: {} holds no letters\n", topics.letters);
    assert_eq!(run(kafka, &topics, &[]).await.ok(), empty);
    kafka.produce(&topics.letters, letters).await;
    let unmatched = format!("nothing to replay: none of the 5 letters left in {} matches\n", topics.letters);
    assert_eq!(run(kafka, &topics, &["--id", "v9", "--dry-run"]).await.ok(), unmatched);

    let summary = run(kafka, &topics, &["--class", "transient", "--reason", "503"]).await.ok();
    assert_eq!(summary, "replayed 2, passed over 3, failed 0, remaining 3\n");
    assert_eq!(topics.replayed(kafka).await, once(["v1", "v2"]));

    let summary = run(kafka, &topics, &["--partition", "0", "--since", "1h"]).await.ok();
    assert_eq!(summary, "replayed 2, passed over 1, failed 0, remaining 1\n");
    assert_eq!(topics.replayed(kafka).await, once(["v0", "v1", "v2", "v4"]));

    let summary = run(kafka, &topics, &["--until", "1h ago"]).await.ok();
    assert_eq!(summary, format!("nothing to replay: the one letter left in {} does not match\n", topics.letters));

    let summary = run(kafka, &topics, &["--id", "v3"]).await.ok();
    assert_eq!(summary, "replayed 1, passed over 0, failed 0, remaining 0\n");
    let summary = run(kafka, &topics, &[]).await.ok();
    assert_eq!(summary, format!("nothing to replay: all letters of {} were replayed before\n", topics.letters));
    assert_eq!(topics.replayed(kafka).await, once(["v0", "v1", "v2", "v3", "v4"]));

    // Refused again: a new letter.
    kafka.produce(&topics.letters, [letter(3, "permanent", "no user_id")]).await;
    assert!(run(kafka, &topics, &[]).await.ok().starts_with("replayed 1,"));
    assert_eq!(topics.replayed(kafka).await["v3"], 2);
}

#[tokio::test]
async fn an_event_without_an_id_is_found_by_the_place_it_first_had() {
    let Some(kafka) = kafka::shared().await else { return };
    let topics = Topics::create(kafka, "replay-place", 1).await;
    let letters = (0..3).map(|n| topics.letter(RawRecord::new(n.to_string()), n, "permanent", "no"));
    kafka.produce(&topics.letters, letters).await;
    let id = format!("{}-1-1", topics.source);
    run(kafka, &topics, &["--id", &id]).await.ok();
    assert_eq!(topics.replayed(kafka).await, once(["1"]));
}

#[tokio::test]
async fn a_dry_run_lists_and_changes_nothing() {
    let Some(kafka) = kafka::shared().await else { return };
    let topics = Topics::create(kafka, "replay-dry", 1).await;
    let letters = ["a", "b"].map(|value| {
        topics.letter(RawRecord::new(value).key("k1").header("ce_id", value), 8, "permanent", "no\nuser_id")
    });
    kafka.produce(&topics.letters, letters).await;

    let printed = run(kafka, &topics, &["--dry-run", "--id", "b"]).await.ok();

    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 2, "{printed}");
    let place = format!("from {}/0@8 id=b key=k1 permanent after 5 attempts: no\\nuser_id", topics.source);
    assert!(lines[0].starts_with(&format!("{}/0@1 ", topics.letters)) && lines[0].ends_with(&place), "{printed}");
    assert_eq!(lines[1], "would replay 1, passed over 1, failed 0, remaining 2");
    assert!(topics.replayed(kafka).await.is_empty());
    assert_eq!(kafka.committed_offsets("millrace-replay", &topics.letters).await[&0], None);
}

#[tokio::test]
async fn what_cannot_go_back_stays_and_holds_up_nothing_else() {
    let Some(kafka) = kafka::shared().await else { return };
    let topics = Topics::create(kafka, "replay-stays", 1).await;
    let small = TopicSpec {
        config: BTreeMap::from([("max.message.bytes".to_owned(), "1000".to_owned())]),
        ..TopicSpec::new(format!("{}-small", topics.source), 1)
    };
    kafka.create_topics(std::slice::from_ref(&small)).await;
    let elsewhere = |topic: &str| Topics { source: topic.to_owned(), letters: topics.letters.clone() };
    let records = [
        topics.letter(RawRecord::new("first"), 0, "permanent", "no"),
        RawRecord::new("no letter"),
        RawRecord::new("of Spring").header("kafka_dlt-original-topic", topics.source.as_str()),
        elsewhere("gone").letter(RawRecord::new("lost"), 0, "permanent", "no"),
        elsewhere(&small.name).letter(RawRecord::new("x".repeat(5_000)), 0, "permanent", "no"),
        topics.letter(RawRecord::new("last"), 1, "permanent", "no"),
    ];
    kafka.produce(&topics.letters, records).await;

    let ended = run(kafka, &topics, &[]).await;

    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stdout, "replayed 2, passed over 0, failed 2, remaining 2, not dead letters 2\n");
    for told in [
        "0@1 is no dead letter and stays: the header dlq.topic is missing",
        "0@2 is a dead letter of Spring Kafka (kafka_dlt-original-topic) and stays",
        "there is no topic \"gone\"",
        "larger than",
    ] {
        assert!(ended.stderr.contains(told), "no {told:?} in {ended:?}");
    }
    assert_eq!(topics.replayed(kafka).await, once(["first", "last"]));
    assert_eq!(kafka.committed_offsets("millrace-replay", &topics.letters).await[&0], Some(1));
    let ended = run(kafka, &topics, &[]).await;
    assert_eq!(ended.stdout, "replayed 0, passed over 0, failed 2, remaining 2, not dead letters 2\n");
}
