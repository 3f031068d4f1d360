//! Zombie instances: paused, evicted from the group, and resumed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use millrace_kafka::KafkaSettings;
use millrace_kafka::admin::AdminClient;
use millrace_testkit::{Kafka, eventually};

use crate::fixture::WAIT_TIMEOUT;
use crate::fleet::{Instance, assert_paid_exactly_once, broker};
use crate::live_reader::LiveReader;
use crate::load::Load;

async fn members(kafka: &Kafka) -> usize {
    let cluster = AdminClient::new(&KafkaSettings::plaintext(kafka.bootstrap_servers())).unwrap();
    let groups = cluster.groups(Duration::from_secs(10)).await.unwrap();
    groups.iter().find(|group| group.name == "millrace-payments").and_then(|group| group.members).unwrap_or(0)
}

async fn until_members(kafka: &Kafka, count: usize) {
    let what = format!("the group has {count} members");
    eventually(WAIT_TIMEOUT, &what, async || (members(kafka).await == count).then_some(())).await;
}

/// Pauses an instance under load until the group has evicted it, then resumes it and waits until it is fenced.
async fn pause(kafka: &Kafka, zombie: &mut Instance, reader: &LiveReader, and_then: impl Future<Output = ()>) {
    // A late member has partitions only after the others' are revoked.
    let owns_partitions =
        || zombie.log().iter().rev().find_map(|line| Some(!line.split_once("\"owned\":")?.1.starts_with('0')));
    eventually(WAIT_TIMEOUT, "the instance owns partitions", async || owns_partitions().unwrap_or(false).then_some(()))
        .await;
    let (before, logged) = (members(kafka).await, zombie.log().len());
    let seen = reader.count();
    reader.until(WAIT_TIMEOUT, seen + 300).await;
    zombie.signal("STOP");
    until_members(kafka, before - 1).await;
    and_then.await;
    zombie.signal("CONT");
    // It exits, fenced by a newer epoch of its transactional id, or logs that its assignment is lost.
    eventually(WAIT_TIMEOUT, "the zombie is fenced or has lost its assignment", async || {
        let is_lost = zombie.log()[logged..].iter().any(|line| line.contains("\"is_lost\":true"));
        (is_lost || zombie.exit_status().is_some()).then_some(())
    })
    .await;
    eprintln!("zombie: {:?}, {:#?}", zombie.exit_status(), &zombie.log()[logged..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zombie_is_fenced_and_nothing_is_paid_twice() {
    let Some(kafka) = broker().await else { return };
    let options = ["--payment-delay", "10ms"];
    let start = || Instance::start(kafka.bootstrap_servers(), None, &options);
    let (mut first, mut second, third) = (start(), start(), start());
    for instance in [&first, &second, &third] {
        instance.joined().await;
    }
    until_members(&kafka, 3).await;
    let reader = LiveReader::start(&mut kafka.client());
    let mut load = Load::on(&kafka);
    let is_over = AtomicBool::new(false);
    let pausing = async {
        // An open transaction is still open.
        pause(&kafka, &mut first, &reader, async {}).await;
        // The broker has aborted an open transaction: newer payments are readable.
        let seen = reader.count();
        pause(&kafka, &mut second, &reader, reader.until(WAIT_TIMEOUT, seen + 1_500)).await;
        is_over.store(true, Ordering::Relaxed);
    };
    tokio::join!(load.write(Duration::from_millis(40), |_| is_over.load(Ordering::Relaxed)), pausing);
    reader.until(Duration::from_secs(60), load.journal.len()).await;
    assert_paid_exactly_once(&kafka, &load.journal, reader).await;
}
