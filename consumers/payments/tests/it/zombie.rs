//! Instances freeze, are taken for dead, and come back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use millrace_kafka::KafkaSettings;
use millrace_kafka::admin::AdminClient;
use millrace_testkit::{Kafka, eventually};

use crate::fixture::BOUND;
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
    eventually(BOUND, &what, async || (members(kafka).await == count).then_some(())).await;
}

/// Freezes an instance under load until the group has given its partitions to others; what became of it afterwards.
async fn freeze(kafka: &Kafka, zombie: &mut Instance, reader: &LiveReader, and_then: impl Future<Output = ()>) {
    // One that joined late has its first partitions only after the others have given them up.
    let owns = || zombie.log().iter().rev().find_map(|line| Some(!line.split_once("\"owned\":")?.1.starts_with('0')));
    eventually(BOUND, "it owns partitions", async || owns().unwrap_or(false).then_some(())).await;
    let (before, said) = (members(kafka).await, zombie.log().len());
    let seen = reader.count();
    reader.until(BOUND, seen + 300).await;
    zombie.signal("STOP");
    until_members(kafka, before - 1).await;
    and_then.await;
    zombie.signal("CONT");
    // It ends because another epoch of its transactional id has begun, or finds that it owns nothing any more.
    eventually(BOUND, "the zombie knows what it is", async || {
        let is_lost = zombie.log()[said..].iter().any(|line| line.contains("\"is_lost\":true"));
        (is_lost || zombie.end().is_some()).then_some(())
    })
    .await;
    eprintln!("zombie: {:?}, {:#?}", zombie.end(), &zombie.log()[said..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_instance_is_fenced_when_it_comes_back_and_nothing_is_paid_twice() {
    let Some(kafka) = broker().await else { return };
    let options = ["--payment-delay", "10ms"];
    let start = || Instance::start(kafka.bootstrap_servers(), None, &options);
    let (mut first, mut second, heir) = (start(), start(), start());
    for instance in [&first, &second, &heir] {
        instance.joined().await;
    }
    until_members(&kafka, 3).await;
    let reader = LiveReader::start(&mut kafka.client());
    let mut load = Load::on(&kafka);
    let is_over = AtomicBool::new(false);
    let freezing = async {
        // Its transaction, if one was open, still is.
        freeze(&kafka, &mut first, &reader, async {}).await;
        // Its transaction is over for the broker as well: nothing that was ordered until now waits for it.
        let seen = reader.count();
        freeze(&kafka, &mut second, &reader, reader.until(BOUND, seen + 1_500)).await;
        is_over.store(true, Ordering::Relaxed);
    };
    tokio::join!(load.write(Duration::from_millis(40), |_| is_over.load(Ordering::Relaxed)), freezing);
    reader.until(Duration::from_secs(60), load.journal.len()).await;
    assert_paid_exactly_once(&kafka, &load.journal, reader).await;
}
