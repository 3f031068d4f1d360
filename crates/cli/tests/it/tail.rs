//! `millrace tail`.

use std::time::Duration;

use millrace_testkit::eventually;
use millrace_testkit::kafka::{self, RawRecord, TransactionEnd};
use serde_json::{Value, json};

use crate::millrace::Millrace;

fn parsed(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[tokio::test]
async fn a_json_line_has_the_whole_record() {
    let Some(kafka) = kafka::shared().await else { return };
    let topic = kafka.create_unique_topic("tail", 1).await;
    let mut full = RawRecord::new("{\n \"id\": 12345678901234567890123\n}").key("12345").header("ce_id", "a1");
    full.headers.push(("none".to_owned(), None));
    full = full.header("ce_id", "a2").header("raw", [b'x', 0xff]);
    full.timestamp = Some(1_769_860_800_000);
    let records = [full, RawRecord::new("plain \"text\""), RawRecord::new([0xff]), RawRecord::default()];
    kafka.produce(&topic, records).await;

    let args = ["tail", &topic, "--from", "beginning", "--count", "4", "--json", "--kafka", kafka.bootstrap_servers()];
    let printed = Millrace::new(args).run().await.ok();

    assert!(printed.contains("12345678901234567890123"), "{printed}");
    let lines = parsed(&printed);
    assert_eq!(lines.len(), 4);
    let first = lines[0].as_object().unwrap();
    let keys: Vec<&str> = first.keys().map(String::as_str).collect();
    assert_eq!(keys, ["headers", "key", "offset", "partition", "timestamp", "topic", "value"]);
    assert_eq!(first["topic"], topic.as_str());
    assert_eq!((&first["partition"], &first["offset"]), (&json!(0), &json!(0)));
    assert_eq!(first["timestamp"], 1_769_860_800_000_i64);
    assert_eq!(first["key"], "12345");
    assert_eq!(first["headers"], json!([["ce_id", "a1"], ["none", null], ["ce_id", "a2"], ["raw", "x\u{fffd}"]]));
    let values: Vec<&Value> = lines[1..].iter().map(|line| &line["value"]).collect();
    assert_eq!(values, [&json!("plain \"text\""), &json!({"base64": "/w=="}), &Value::Null]);
    assert_eq!((&lines[3]["key"], &lines[3]["headers"]), (&Value::Null, &json!([])));
}

#[tokio::test]
async fn the_last_records_are_ordered_by_timestamp() {
    let Some(kafka) = kafka::shared().await else { return };
    let topic = kafka.create_unique_topic("tail-last", 3).await;
    let record = |n: i64| {
        let partition = i32::try_from(n % 3).unwrap();
        let mut record = RawRecord::new(n.to_string()).partition(partition);
        record.timestamp = Some(1_769_860_800_000 + n);
        record
    };
    kafka.produce(&topic, (0..30).map(record)).await;

    let last = async |from: &str, count: &str| {
        let args = ["tail", &topic, "--from", from, "--count", count, "--json", "--kafka", kafka.bootstrap_servers()];
        let lines = parsed(&Millrace::new(args).run().await.ok());
        lines.iter().map(|line| line["value"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(last("-7", "7").await, [23, 24, 25, 26, 27, 28, 29]);
    assert_eq!(last("-7", "2").await, [23, 24]);
    assert_eq!(last("-1000", "30").await, (0..30).collect::<Vec<_>>());
}

#[tokio::test]
async fn from_the_end_only_new_records_are_shown_until_a_signal() {
    let Some(kafka) = kafka::shared().await else { return };
    let topic = kafka.create_unique_topic("tail-end", 2).await;
    kafka.produce(&topic, [RawRecord::new("\"old\"").partition(0), RawRecord::new("\"old\"").partition(1)]).await;

    let mut tail = Millrace::new(["tail", &topic, "--json", "--kafka", kafka.bootstrap_servers()]).start();
    let first = {
        let line = tail.line();
        tokio::pin!(line);
        // Before its first record nothing shows that it has started to read.
        eventually(Duration::from_secs(30), "a new record is shown", async || {
            kafka.produce(&topic, [RawRecord::new("\"new\"").partition(1)]).await;
            tokio::time::timeout(Duration::from_millis(200), &mut line).await.ok()
        })
        .await
    };
    assert_eq!(parsed(&first)[0]["value"], "new");
    tail.signal("TERM");
    let ended = tail.end().await;
    assert!(!ended.stdout.contains("old"), "{ended:?}");
    assert_eq!(ended.stderr, "");
    ended.ok();
}

/// With partitions that end with a record, with transaction markers, and empty ones.
#[tokio::test]
async fn until_end_prints_all_records_and_exits() {
    let Some(kafka) = kafka::shared().await else { return };
    let topic = kafka.create_unique_topic("tail-until-end", 4).await;
    let until_end = async |more: &[&str]| {
        let args = ["tail", &topic, "--until-end", "--json", "--kafka", kafka.bootstrap_servers()];
        let lines = parsed(&Millrace::new(args.into_iter().chain(more.iter().copied())).run().await.ok());
        let mut values: Vec<i64> = lines.iter().map(|line| line["value"].as_i64().unwrap()).collect();
        values.sort_unstable();
        values
    };
    assert!(until_end(&[]).await.is_empty());

    let record = |n: i32, partition| RawRecord::new(n.to_string()).partition(partition);
    kafka.produce(&topic, [record(1, 0), record(2, 1)]).await;
    kafka.produce_transaction(&topic, [record(3, 1)], TransactionEnd::Commit).await;
    kafka.produce_transaction(&topic, [record(4, 1), record(5, 2)], TransactionEnd::Abort).await;

    // A broker acknowledges a commit before its marker is in every partition.
    eventually(Duration::from_secs(30), "what is committed is there", async || {
        (until_end(&[]).await == [1, 2, 3]).then_some(())
    })
    .await;
    assert_eq!(until_end(&["--from", "-2"]).await.len(), 2);
    assert!(until_end(&["--from", "end"]).await.is_empty());
    assert_eq!(until_end(&["--count", "2"]).await.len(), 2);
}

#[tokio::test]
async fn a_closed_pipe_ends_tail_without_an_error() {
    let Some(kafka) = kafka::shared().await else { return };
    let topic = kafka.create_unique_topic("tail-pipe", 1).await;
    kafka.produce(&topic, [RawRecord::new("1"), RawRecord::new("2")]).await;

    let args = ["tail", &topic, "--from", "beginning", "--json", "--kafka", kafka.bootstrap_servers()];
    let mut tail = Millrace::new(args).start();
    tail.line().await;
    // No further record arrives, so no write fails.
    assert_eq!(tail.close_stdout().await, Some(0));
}

#[tokio::test]
async fn text_in_a_pipe_has_no_colours_or_control_characters() {
    let Some(kafka) = kafka::shared().await else { return };
    let topic = kafka.create_unique_topic("tail-text", 1).await;
    let mut record = RawRecord::new("hello\u{1b}[2J").key("k").header("ce_id", "a1");
    record.timestamp = Some(1_769_860_800_000);
    kafka.produce(&topic, [record]).await;

    let args = ["tail", &topic, "--from", "-1", "--count", "1", "--kafka", kafka.bootstrap_servers()];
    let printed = Millrace::new(args).run().await.ok();

    assert_eq!(printed, "2026-01-31T12:00:00.000Z 0@0 k hello\\u{1b}[2J\n  ce_id=a1\n");
}

#[tokio::test]
async fn an_unknown_topic_is_an_error_that_names_it() {
    let Some(kafka) = kafka::shared().await else { return };
    let ended = Millrace::new(["tail", "no-such-topic", "--kafka", kafka.bootstrap_servers()]).run().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("no topic no-such-topic"), "{ended:?}");
}
