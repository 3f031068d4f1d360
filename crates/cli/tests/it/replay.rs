//! `millrace replay`: which dead letters are replayed, and which stay.

use std::collections::BTreeMap;

use millrace_broker::topics::TopicSpec;
use millrace_testkit::Kafka;
use millrace_testkit::kafka::{self, Isolation, RawRecord};

use crate::millrace::{Ended, Millrace};

/// A topic with its dead-letter topic.
pub(crate) struct Topics {
    pub(crate) source: String,
    pub(crate) dead_letters: String,
}

impl Topics {
    pub(crate) async fn create(kafka: &Kafka, prefix: &str, partitions: i32) -> Self {
        let source = kafka.create_unique_topic(prefix, partitions).await;
        let dead_letters = format!("{source}.dlq");
        kafka.create_topics(&[TopicSpec::new(&dead_letters, 1)]).await;
        Self { source, dead_letters }
    }

    /// The dead letter of a record.
    pub(crate) fn dead_letter(&self, record: RawRecord, offset: usize, class: &str, reason: &str) -> RawRecord {
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

    /// The records of the source topic: how often each value occurs.
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
        ["replay", &topics.dead_letters, "--kafka", kafka.bootstrap_servers()].into_iter().chain(more.iter().copied()),
    )
}

async fn run(kafka: &Kafka, topics: &Topics, more: &[&str]) -> Ended {
    replay(kafka, topics, more).run().await
}

/// Each of these values once.
fn once<'a>(values: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, usize> {
    values.into_iter().map(|value| (value.to_owned(), 1)).collect()
}

#[tokio::test]
async fn a_dead_letter_is_replayed_byte_for_byte_with_its_id() {
    let Some(kafka) = kafka::shared().await else { return };
    let topics = Topics::create(kafka, "replay-bytes", 1).await;
    let mut odd = RawRecord::new([0x00, 0xff, b'\n']).key([0xfe, 0x00]).header("b", "2").header("a", [0xff]);
    odd.headers.push(("b".to_owned(), None));
    let odd = odd.header("b", "1").header("", "").header("dlqish", "own");
    let empty = RawRecord { key: Some(Vec::new()), value: Some(Vec::new()), ..RawRecord::default() };
    let originals = [odd, RawRecord::default().header("only", "header"), empty];
    let dead_letters =
        originals.iter().enumerate().map(|(n, record)| topics.dead_letter(record.clone(), n, "permanent", "no"));
    kafka.produce(&topics.dead_letters, dead_letters).await;

    let ended = run(kafka, &topics, &[]).await;

    let audit: serde_json::Value = ended.stderr.parse().expect("one line, of the audit");
    assert_eq!((&audit["target"], &audit["message"]), (&"audit".into(), &"dead letters replayed".into()), "{audit}");
    assert_eq!((&audit["replayed"], &audit["topic"]), (&3.into(), &topics.dead_letters.as_str().into()), "{audit}");
    assert!(audit["actor"].as_str().is_some_and(|actor| actor.contains('@')), "{audit}");
    assert_eq!(ended.ok(), "replayed 3, skipped 0, failed 0, remaining 0\n");
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
async fn a_dead_letter_is_replayed_to_its_source_partition() {
    let Some(kafka) = kafka::shared().await else { return };
    let topics = Topics::create(kafka, "replay-partition", 2).await;
    let dead_letters = (0..4).map(|n| topics.dead_letter(RawRecord::new(n.to_string()).key("k"), n, "permanent", "no"));
    kafka.produce(&topics.dead_letters, dead_letters).await;

    run(kafka, &topics, &[]).await.ok();

    let back = kafka.read_all(&topics.source, Isolation::Committed).await;
    let back: Vec<_> = back.iter().map(|record| (record.partition, record.value_text().unwrap())).collect();
    assert_eq!(back, [(0, "0"), (0, "2"), (1, "1"), (1, "3")]);
}

#[tokio::test]
async fn a_dead_letter_of_a_dead_letter_goes_to_the_source_topic() {
    let Some(kafka) = kafka::shared().await else { return };
    let topics = Topics::create(kafka, "replay-twice", 2).await;
    let of_dead_letter =
        Topics { source: topics.dead_letters.clone(), dead_letters: format!("{}.dlq", topics.dead_letters) };
    kafka.create_topics(&[TopicSpec::new(&of_dead_letter.dead_letters, 1)]).await;
    let record = RawRecord::new("1").header("ce_id", "a").header("ce_time", "b");
    let twice = of_dead_letter.dead_letter(
        topics.dead_letter(record.clone(), 3, "permanent", "no"),
        4,
        "permanent",
        "no letter",
    );
    let once = of_dead_letter.dead_letter(RawRecord::new("2"), 5, "permanent", "no letter");
    kafka.produce(&of_dead_letter.dead_letters, [twice, once]).await;

    let ended = run(kafka, &of_dead_letter, &[]).await;

    assert_eq!((ended.code, &*ended.stdout), (Some(1), "replayed 1, skipped 0, failed 1, remaining 1\n"));
    assert!(ended.stderr.contains("no older dlq.* headers that name the source topic"), "{ended:?}");
    let back = kafka.read_all(&topics.source, Isolation::Committed).await;
    let back: Vec<_> = back.into_iter().map(|record| (record.partition, record.value, record.headers)).collect();
    assert_eq!(back, [(1, record.value, record.headers)]);
    assert!(kafka.read_all(&topics.dead_letters, Isolation::Committed).await.is_empty());
}

/// And nothing is replayed twice.
#[tokio::test]
async fn dead_letters_skipped_by_filters_stay_for_later() {
    let Some(kafka) = kafka::shared().await else { return };
    let topics = Topics::create(kafka, "replay-filters", 2).await;
    let dead_letter = |n: usize, class, reason: &str| {
        let value = format!("v{n}");
        topics.dead_letter(RawRecord::new(value.clone()).key(value.clone()).header("ce_id", value), n, class, reason)
    };
    let dead_letters = [
        dead_letter(0, "permanent", "not an object"),
        dead_letter(1, "transient", "the bank answered 503"),
        dead_letter(2, "transient", "the bank answered 503"),
        dead_letter(3, "permanent", "no user_id"),
        dead_letter(4, "transient", "time-out"),
    ];
    let empty = format!("nothing to replay: {} holds no dead letters\n", topics.dead_letters);
    assert_eq!(run(kafka, &topics, &[]).await.ok(), empty);
    kafka.produce(&topics.dead_letters, dead_letters).await;
    let unmatched = format!("nothing to replay: none of the 5 dead letters left in {} matches\n", topics.dead_letters);
    assert_eq!(run(kafka, &topics, &["--id", "v9", "--dry-run"]).await.ok(), unmatched);

    let summary = run(kafka, &topics, &["--class", "transient", "--reason", "503"]).await.ok();
    assert_eq!(summary, "replayed 2, skipped 3, failed 0, remaining 3\n");
    assert_eq!(topics.replayed(kafka).await, once(["v1", "v2"]));

    let summary = run(kafka, &topics, &["--partition", "0", "--since", "1h"]).await.ok();
    assert_eq!(summary, "replayed 2, skipped 1, failed 0, remaining 1\n");
    assert_eq!(topics.replayed(kafka).await, once(["v0", "v1", "v2", "v4"]));

    let summary = run(kafka, &topics, &["--until", "1h ago"]).await.ok();
    let topic = &topics.dead_letters;
    assert_eq!(summary, format!("nothing to replay: the one dead letter left in {topic} does not match\n"));

    let summary = run(kafka, &topics, &["--id", "v3"]).await.ok();
    assert_eq!(summary, "replayed 1, skipped 0, failed 0, remaining 0\n");
    let summary = run(kafka, &topics, &[]).await.ok();
    assert_eq!(summary, format!("nothing to replay: all dead letters of {topic} were replayed before\n"));
    assert_eq!(topics.replayed(kafka).await, once(["v0", "v1", "v2", "v3", "v4"]));

    // Rejected again: a new dead letter.
    kafka.produce(&topics.dead_letters, [dead_letter(3, "permanent", "no user_id")]).await;
    assert!(run(kafka, &topics, &[]).await.ok().starts_with("replayed 1,"));
    assert_eq!(topics.replayed(kafka).await["v3"], 2);
}

#[tokio::test]
async fn an_event_without_an_id_is_found_by_its_source_position() {
    let Some(kafka) = kafka::shared().await else { return };
    let topics = Topics::create(kafka, "replay-place", 1).await;
    let dead_letters = (0..3).map(|n| topics.dead_letter(RawRecord::new(n.to_string()), n, "permanent", "no"));
    kafka.produce(&topics.dead_letters, dead_letters).await;
    let id = format!("{}-1-1", topics.source);
    run(kafka, &topics, &["--id", &id]).await.ok();
    assert_eq!(topics.replayed(kafka).await, once(["1"]));
}

#[tokio::test]
async fn a_dry_run_lists_and_changes_nothing() {
    let Some(kafka) = kafka::shared().await else { return };
    let topics = Topics::create(kafka, "replay-dry", 1).await;
    let dead_letters = ["a", "b"].map(|value| {
        topics.dead_letter(RawRecord::new(value).key("k1").header("ce_id", value), 8, "permanent", "no\nuser_id")
    });
    kafka.produce(&topics.dead_letters, dead_letters).await;

    let printed = run(kafka, &topics, &["--dry-run", "--id", "b"]).await.ok();

    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 2, "{printed}");
    let source = format!("from {}/0@8 id=b key=k1 permanent after 5 attempts: no\\nuser_id", topics.source);
    assert!(lines[0].starts_with(&format!("{}/0@1 ", topics.dead_letters)) && lines[0].ends_with(&source), "{printed}");
    assert_eq!(lines[1], "would replay 1, skipped 1, failed 0, remaining 2");
    assert!(topics.replayed(kafka).await.is_empty());
    assert_eq!(kafka.committed_offsets("millrace-replay", &topics.dead_letters).await[&0], None);
}

#[tokio::test]
async fn a_dead_letter_that_fails_stays_and_blocks_no_other() {
    let Some(kafka) = kafka::shared().await else { return };
    let topics = Topics::create(kafka, "replay-stays", 1).await;
    let small = TopicSpec {
        config: BTreeMap::from([("max.message.bytes".to_owned(), "1000".to_owned())]),
        ..TopicSpec::new(format!("{}-small", topics.source), 1)
    };
    kafka.create_topics(std::slice::from_ref(&small)).await;
    let elsewhere = |topic: &str| Topics { source: topic.to_owned(), dead_letters: topics.dead_letters.clone() };
    let records = [
        topics.dead_letter(RawRecord::new("first"), 0, "permanent", "no"),
        RawRecord::new("no letter"),
        RawRecord::new("of Spring").header("kafka_dlt-original-topic", topics.source.as_str()),
        elsewhere("gone").dead_letter(RawRecord::new("lost"), 0, "permanent", "no"),
        elsewhere(&small.name).dead_letter(RawRecord::new("x".repeat(5_000)), 0, "permanent", "no"),
        topics.dead_letter(RawRecord::new("last"), 1, "permanent", "no"),
    ];
    kafka.produce(&topics.dead_letters, records).await;

    let ended = run(kafka, &topics, &[]).await;

    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stdout, "replayed 2, skipped 0, failed 2, remaining 2, not dead letters 2\n");
    for expected in [
        "0@1 is no dead letter and stays: the header dlq.topic is missing",
        "0@2 is a dead letter of Spring Kafka (kafka_dlt-original-topic) and stays",
        "there is no topic \"gone\"",
        "larger than",
    ] {
        assert!(ended.stderr.contains(expected), "no {expected:?} in {ended:?}");
    }
    assert_eq!(topics.replayed(kafka).await, once(["first", "last"]));
    assert_eq!(kafka.committed_offsets("millrace-replay", &topics.dead_letters).await[&0], Some(1));
    let ended = run(kafka, &topics, &[]).await;
    assert_eq!(ended.stdout, "replayed 0, skipped 0, failed 2, remaining 2, not dead letters 2\n");
}
