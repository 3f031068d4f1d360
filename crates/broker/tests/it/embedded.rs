//! The embedded broker, used by real clients.

use std::process::Command;
use std::time::Duration;

use crate::client::{consumer, end_offset, partitions, produce};
use millrace_broker::embedded::{Embedded, Error};
use rdkafka::consumer::Consumer as _;
use rdkafka::{Message as _, Offset, TopicPartitionList};

/// The address of the cluster, for the process that the test below starts.
const ADDRESS: &str = "MILLRACE_TEST_EMBEDDED_ADDRESS";

#[tokio::test]
async fn topics_have_the_partitions_of_the_start() {
    let embedded = Embedded::start(&[("orders", 3), ("events", 6)]).unwrap();
    let address = embedded.bootstrap_servers();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    assert_eq!(partitions(address, "orders").await, 3);
    assert_eq!(partitions(address, "events").await, 6);
    produce(address, "orders", 2, 5).await.unwrap();
    assert_eq!(end_offset(address, "orders", 2).await, 5);
}

#[test]
fn an_invalid_topic_is_refused_by_name() {
    for topics in [[("events", 1), ("orders", 0)], [("orders", 1), ("orders", 1)]] {
        let refused = Embedded::start(&topics);
        assert!(matches!(&refused, Err(Error::Topic { topic, .. }) if topic == "orders"), "{refused:?}");
    }
}

/// Runs in another process: this test binary again, with this test alone.
#[tokio::test]
#[ignore = "runs in the process that a_client_in_another_process_can_use_it starts"]
async fn a_client_in_another_process() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    produce(&address, "orders", 0, 2).await.unwrap();
    let read = tokio::task::spawn_blocking(move || {
        let consumer = consumer(&address);
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset("orders", 0, Offset::Beginning).unwrap();
        consumer.assign(&assignment).unwrap();
        let values = (0..3).map(|_| {
            let record = consumer.poll(Duration::from_secs(10)).expect("a record").unwrap();
            String::from_utf8(record.payload().unwrap().to_vec()).unwrap()
        });
        values.collect::<Vec<_>>()
    });
    assert_eq!(read.await.unwrap(), ["0", "0", "1"]);
}

#[tokio::test]
async fn a_client_in_another_process_can_use_it() {
    let embedded = Embedded::start(&[("orders", 1)]).unwrap();
    produce(embedded.bootstrap_servers(), "orders", 0, 1).await.unwrap();
    let other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "embedded::a_client_in_another_process", "--ignored", "--nocapture"])
        .env(ADDRESS, embedded.bootstrap_servers())
        .output()
        .unwrap();
    let report = [other.stdout, other.stderr].concat();
    let report = String::from_utf8_lossy(&report);
    assert!(other.status.success() && report.contains("1 passed"), "{report}");
    assert_eq!(end_offset(embedded.bootstrap_servers(), "orders", 0).await, 3);
}
