//! The shared and the dedicated Kafka.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use millrace_testkit::eventually;
use millrace_testkit::journal::{Entry, Journal};
use millrace_testkit::kafka::{self, Isolation, RawRecord, unique};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

const TIMEOUT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_record_is_read_byte_for_byte() {
    let Some(kafka) = kafka::shared().await else { return };
    let topic = kafka.create_unique_topic("orders", 2).await;
    let mut odd = RawRecord::new([0xff, 0x00]).key([0x80]).header("h", "first").header("h", "").partition(1);
    odd.headers.push(("h".to_owned(), None));
    odd.timestamp = Some(1_700_000_000_123);
    let nulls = RawRecord { partition: Some(1), ..RawRecord::default() };
    let positions = kafka.produce(&topic, [odd.clone(), nulls, RawRecord::new("last").partition(0)]).await;
    assert_eq!(
        positions.iter().map(|position| (position.partition, position.offset)).collect::<Vec<_>>(),
        [(1, 0), (1, 1), (0, 0)]
    );

    let records = kafka.read_all(&topic, Isolation::Committed).await;
    assert_eq!(records.len(), 3);
    assert_eq!(records[0].value_text(), Some("last"));
    assert_eq!((records[1].partition, records[1].offset, records[1].timestamp), (1, 0, odd.timestamp));
    assert_eq!((&records[1].key, &records[1].value, &records[1].headers), (&odd.key, &odd.value, &odd.headers));
    assert_eq!(records[1].header("h"), Some("first"));
    assert_eq!((&records[2].key, &records[2].value), (&None, &None));
    assert!(records[2].headers.is_empty());
}

#[tokio::test]
async fn an_empty_topic_and_a_large_one_are_read_to_the_end() {
    let Some(kafka) = kafka::shared().await else { return };
    let topic = kafka.create_unique_topic("events", 3).await;
    assert!(kafka.read_all(&topic, Isolation::Committed).await.is_empty());

    let journal = Journal::new();
    let sent: Vec<Entry> = (0..5_000).map(|n| Entry::new(format!("e{n}"), (n % 7).to_string(), n)).collect();
    kafka.produce(&topic, sent.iter().map(|entry| RawRecord::new(entry.id.as_str()).key(entry.key.as_str()))).await;
    for entry in sent {
        journal.acknowledge(entry);
    }
    let read = kafka.read_all(&topic, Isolation::Uncommitted).await;
    let read = read.iter().map(|record| {
        let id = record.value_text().unwrap();
        Entry::new(id, record.key_text().unwrap(), id[1..].parse().unwrap())
    });
    journal.check(read).assert_exactly_once_in_order();
    assert_eq!(kafka.end_offsets(&topic).await.values().sum::<i64>(), 5_000);
}

#[tokio::test]
async fn only_uncommitted_readers_see_an_aborted_transaction() {
    let Some(kafka) = kafka::shared().await else { return };
    let topic = kafka.create_unique_topic("payments", 1).await;
    let producer: BaseProducer = kafka.client().set("transactional.id", unique("payments")).create().unwrap();
    let (written, name) = (topic.clone(), topic.clone());
    tokio::task::spawn_blocking(move || {
        producer.init_transactions(TIMEOUT).unwrap();
        for (value, is_kept) in [("kept", true), ("aborted", false)] {
            producer.begin_transaction().unwrap();
            producer.send(BaseRecord::<str, str>::to(&written).payload(value)).map_err(|(error, _)| error).unwrap();
            producer.flush(TIMEOUT).unwrap();
            if is_kept {
                producer.commit_transaction(TIMEOUT).unwrap();
            } else {
                producer.abort_transaction(TIMEOUT).unwrap();
            }
        }
    })
    .await
    .unwrap();
    let values = async |isolation| {
        let records = kafka.read_all(&name, isolation).await;
        records.iter().map(|record| record.value_text().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(values(Isolation::Committed).await, ["kept"]);
    assert_eq!(values(Isolation::Uncommitted).await, ["kept", "aborted"]);
}

#[tokio::test]
async fn committed_offsets_are_those_of_the_group() {
    let Some(kafka) = kafka::shared().await else { return };
    let topic = kafka.create_unique_topic("orders", 2).await;
    let group = unique("group");
    let consumer: BaseConsumer = kafka.client().set("group.id", &group).create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(&topic, 1, rdkafka::Offset::Offset(41)).unwrap();
    tokio::task::spawn_blocking(move || consumer.commit(&offsets, CommitMode::Sync).unwrap()).await.unwrap();
    let committed = kafka.committed_offsets(&group, &topic).await;
    assert_eq!(committed.into_iter().collect::<Vec<_>>(), [(0, None), (1, Some(41))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_dedicated_broker_keeps_acknowledged_records() {
    let own = kafka::dedicated(|apache| apache.session_timeout(Duration::from_secs(2))).await;
    let Some(kafka) = own else { return };
    let topic = kafka.create_unique_topic("orders", 1).await;
    kafka.produce(&topic, (0..100).map(|n| RawRecord::new(n.to_string()))).await;
    kafka.broker(1).kill().unwrap();
    kafka.broker(1).restart().await.unwrap();
    assert_eq!(kafka.read_all(&topic, Isolation::Committed).await.len(), 100);
}

#[tokio::test]
#[ignore = "runs in the process that the_shared_broker_ends_with_the_process starts"]
async fn a_process_with_the_shared_broker() {
    let Some(kafka) = kafka::shared().await else { return };
    let topic = kafka.create_unique_topic("orders", 1).await;
    kafka.produce(&topic, [RawRecord::new("1")]).await;
    println!("at={}", kafka.bootstrap_servers());
    if std::env::var_os(STAYS).is_some() {
        // The other process kills this one; if that has ended, this one ends by itself.
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
}

/// Set if the other process is to wait until it is killed.
const STAYS: &str = "MILLRACE_TEST_STAYS";

async fn end_of_a_process_with_a_broker(is_killed: bool) {
    let scratch = tempfile::tempdir().unwrap();
    let mut process = Command::new(std::env::current_exe().unwrap());
    process
        .args(["--exact", "kafka::a_process_with_the_shared_broker", "--ignored", "--nocapture"])
        .env_remove("KAFKA_BOOTSTRAP_SERVERS")
        .env("TMPDIR", scratch.path())
        .stdout(Stdio::piped());
    if is_killed {
        process.env(STAYS, "yes");
    }
    let mut process = process.spawn().unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut lines = lines.map(Result::unwrap);
    let Some(address) = lines.find_map(|line| line.split_once("at=").map(|(_, address)| address.to_owned())) else {
        assert!(process.wait().unwrap().success(), "the other process has no broker and must skip");
        return;
    };
    assert!(tokio::net::TcpStream::connect(&address).await.is_ok());
    if is_killed {
        process.kill().unwrap();
    }
    assert_eq!(process.wait().unwrap().success(), !is_killed);
    eventually(TIMEOUT, "the broker ends with its process", async || {
        tokio::net::TcpStream::connect(&address).await.err()
    })
    .await;
    eventually(TIMEOUT, "its files are removed", async || is_empty(scratch.path()).then_some(())).await;
}

fn is_empty(folder: &Path) -> bool {
    folder.read_dir().unwrap().next().is_none()
}

#[tokio::test]
async fn the_shared_broker_ends_with_the_process() {
    end_of_a_process_with_a_broker(false).await;
}

#[tokio::test]
async fn the_shared_broker_ends_with_a_process_that_is_killed() {
    end_of_a_process_with_a_broker(true).await;
}

#[test]
fn a_test_without_a_kafka_is_skipped_and_fails_in_ci() {
    let nowhere = tempfile::tempdir().unwrap();
    let run = |ci: &str| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kafka::a_process_with_the_shared_broker", "--ignored"])
            .env_remove("KAFKA_BOOTSTRAP_SERVERS")
            .env("JAVA_HOME", nowhere.path())
            .env("PATH", nowhere.path())
            .env("MILLRACE_CACHE_DIR", nowhere.path().join("cache"))
            .env("CI", ci)
            .output()
            .unwrap();
        let report = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(report).unwrap())
    };
    let (passed, report) = run("");
    assert!(passed, "{report}");
    assert!(report.contains("SKIPPED kafka::a_process_with_the_shared_broker"), "{report}");
    assert!(report.contains("`mvn`") && report.contains("no Docker engine"), "{report}");
    let (passed, report) = run("true");
    assert!(!passed, "{report}");
    assert!(report.contains("CI is set"), "{report}");
}

#[tokio::test]
async fn reading_a_missing_topic_panics() {
    let Some(kafka) = kafka::shared().await else { return };
    let reading = tokio::spawn(kafka.read_all("millrace-nowhere", Isolation::Committed));
    let panic = reading.await.unwrap_err().into_panic();
    let reason = panic.downcast_ref::<String>().unwrap();
    assert!(reason.contains("the topic millrace-nowhere does not exist"), "{reason}");
}
