//! A member that its group does not have, or rightly gives nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millrace_broker::topics::TopicSpec;
use millrace_consumer::{
    Attempt, Consumer, ConsumerError, ConsumerOptions, GroupProtocol, Outcome, Processor, Subscription,
};
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer, Record};
use millrace_testkit::kafka::{self, FIND_COORDINATOR, JOIN_GROUP, LIST_GROUPS, LossyProxy};
use millrace_testkit::wait::eventually;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError as RdKafkaError, RDKafkaErrorCode};
use tokio_util::sync::CancellationToken;

use crate::fixture::{BOUND, Fixture, Member, record};

struct Done;

impl Processor for Done {
    type Product = ();

    async fn process(&self, _record: &Record<'_>, _attempt: &Attempt<'_>) -> Outcome {
        Outcome::DONE
    }
}

/// The membership is asked for four times in this time.
fn options() -> ConsumerOptions {
    ConsumerOptions { rejoin_timeout: Duration::from_secs(1), ..Fixture::options() }
}

/// A member that reaches the broker through the proxy.
fn member_behind(proxy: &LossyProxy, fixture: &Fixture<'_>, options: ConsumerOptions) -> Member {
    fixture.member_with_settings(KafkaSettings::plaintext(proxy.bootstrap_servers()), Done, |_| None, options)
}

/// The client waits five minutes for the answer, and in all other ways is well.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_whose_request_to_join_is_lost_joins_again() {
    let Some(kafka) = kafka::dedicated(|broker| broker).await else { return };
    for group_instance_id in [None, Some("slot-1".to_owned())] {
        let fixture = Fixture::on(&kafka, 1).await;
        kafka.produce(&fixture.topic, [record("key", "value")]).await;
        let proxy = LossyProxy::start(&kafka).await.unwrap();
        proxy.lose(JOIN_GROUP, 1);
        let member = member_behind(&proxy, &fixture, ConsumerOptions { group_instance_id, ..options() });
        fixture.until_committed(1).await;
        assert_eq!(proxy.lost(JOIN_GROUP), 1);
        member.stop().await;
    }
}

/// As a client is whose metadata listed no broker: librdkafka has then nobody to ask, and asks nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_whose_client_has_no_brokers_gets_them() {
    let Some(kafka) = kafka::dedicated(|broker| broker).await else { return };
    for group_protocol in [GroupProtocol::Classic, GroupProtocol::Consumer] {
        let fixture = Fixture::on(&kafka, 1).await;
        kafka.produce(&fixture.topic, [record("key", "value")]).await;
        let mut settings = KafkaSettings::plaintext(kafka.bootstrap_servers());
        settings.consumer_overrides.push(("bootstrap.servers".to_owned(), String::new()));
        let options = ConsumerOptions { group_protocol, ..Fixture::options() };
        let member = fixture.member_with_settings(settings, Done, |_| None, options);
        fixture.until_committed(1).await;
        member.stop().await;
    }
}

/// Each of two with one id ends the other's membership, and joins again once: one of them stays.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_members_with_one_instance_id_one_stays() {
    let Some(kafka) = kafka::dedicated(|broker| broker).await else { return };
    let fixture = Fixture::on(&kafka, 1).await;
    kafka.produce(&fixture.topic, [record("key", "before")]).await;
    let options = ConsumerOptions { group_instance_id: Some("slot-1".to_owned()), ..Fixture::options() };
    let mut first = fixture.member(Done, options.clone());
    fixture.until_committed(1).await;

    let mut second = fixture.member(Done, options);
    let (ended, other) = tokio::time::timeout(BOUND, async {
        tokio::select! {
            ended = &mut first.task => (ended, second),
            ended = &mut second.task => (ended, first),
        }
    })
    .await
    .expect("one of them ends");
    assert!(matches!(ended.unwrap(), Err(ConsumerError::InstanceFenced)));
    kafka.produce(&fixture.topic, [record("key", "after")]).await;
    fixture.until_committed(2).await;
    other.stop().await;
}

/// Another client takes its id for a moment: the member has done nothing wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_was_fenced_once_joins_again() {
    let Some(kafka) = kafka::dedicated(|broker| broker).await else { return };
    let fixture = Fixture::on(&kafka, 1).await;
    kafka.produce(&fixture.topic, [record("key", "before")]).await;
    let options = ConsumerOptions { group_instance_id: Some("slot-1".to_owned()), ..Fixture::options() };
    let member = fixture.member(Done, options);
    fixture.until_committed(1).await;

    let mut config = KafkaSettings::plaintext(kafka.bootstrap_servers()).client_config("other").unwrap();
    config.set("group.id", &fixture.group).set("group.instance.id", "slot-1");
    config.set("partition.assignment.strategy", "cooperative-sticky").set("enable.auto.commit", "false");
    let other: StreamConsumer = config.create().unwrap();
    other.subscribe(&[&fixture.topic]).unwrap();
    // It takes the id, until the member's new client takes it back.
    let fenced = async {
        loop {
            if let Err(RdKafkaError::MessageConsumptionFatal(code)) = other.recv().await {
                break code;
            }
        }
    };
    let code = tokio::time::timeout(BOUND, fenced).await.expect("the other client is fenced");
    assert_eq!(code, RDKafkaErrorCode::FencedInstanceId);
    kafka.produce(&fixture.topic, [record("key", "after")]).await;
    fixture.until_committed(2).await;
    member.stop().await;
}

/// Neither a spare member, dynamic or static, nor one whose topic does not exist begins anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_rightly_owns_nothing_keeps_its_client() {
    let Some(kafka) = kafka::dedicated(|broker| broker).await else { return };
    let fixture = Fixture::on(&kafka, 1).await;
    kafka.produce(&fixture.topic, [record("key", "value")]).await;
    let owner = fixture.member(Done, Fixture::options());
    fixture.until_committed(1).await;
    let topicless = Fixture { kafka: &kafka, topic: kafka::unique("missing"), group: kafka::unique("millrace-test") };
    let mut members = Vec::new();
    for (fixture, id) in [(&fixture, None), (&fixture, Some("slot-1".to_owned())), (&topicless, None)] {
        let proxy = LossyProxy::start(&kafka).await.unwrap();
        let member = member_behind(&proxy, fixture, ConsumerOptions { group_instance_id: id, ..options() });
        members.push((proxy, member));
    }
    let spare = || members.iter().take(2);
    let until_asked = async |times: usize| {
        let what = format!("the brokers are asked {times} times by each spare member");
        let are_asked = || spare().all(|(proxy, _)| proxy.forwarded(LIST_GROUPS) >= times);
        eventually(BOUND, &what, async || are_asked().then_some(())).await;
    };
    until_asked(2).await;
    // A new client would look for the coordinator anew.
    let lookups = || members.iter().map(|(proxy, _)| proxy.forwarded(FIND_COORDINATOR)).collect::<Vec<_>>();
    let before = lookups();
    // For a multiple of the time-out.
    until_asked(14).await;
    assert_eq!(lookups(), before);
    for (_, member) in members {
        member.stop().await;
    }
    owner.stop().await;
}

/// librdkafka ends the process where an admin request is given up while its coordinator is still looked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_coordinator_ends_no_process() {
    let Some(kafka) = kafka::dedicated(|broker| broker).await else { return };
    let fixture = Fixture::on(&kafka, 1).await;
    kafka.produce(&fixture.topic, [record("key", "value")]).await;
    let proxy = LossyProxy::start(&kafka).await.unwrap();
    proxy.delay(FIND_COORDINATOR, Duration::from_secs(3));
    let member = member_behind(&proxy, &fixture, options());
    fixture.until_committed(1).await;
    member.stop().await;
}

/// Takes a while for each record, and counts how often it began with each.
struct Slow(Arc<Mutex<BTreeMap<Vec<u8>, usize>>>);

impl Processor for Slow {
    type Product = ();

    async fn process(&self, record: &Record<'_>, _attempt: &Attempt<'_>) -> Outcome {
        *self.0.lock().unwrap().entry(record.value().unwrap().to_vec()).or_default() += 1;
        tokio::time::sleep(Duration::from_secs(4)).await;
        Outcome::DONE
    }
}

/// The member of one topic is lost while that of the other one has something in flight.
#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_member_drains_before_its_consumer_joins_again() {
    let Some(kafka) = kafka::dedicated(|broker| broker).await else { return };
    let topics = ["orders", "payments"].map(kafka::unique);
    kafka.create_topics(&topics.each_ref().map(|topic| TopicSpec::new(topic, 1))).await;
    for topic in &topics {
        kafka.produce(topic, [record("key", topic.clone())]).await;
    }
    let proxy = LossyProxy::start(&kafka).await.unwrap();
    proxy.lose(JOIN_GROUP, 1);
    let settings = KafkaSettings::plaintext(proxy.bootstrap_servers());
    let producer = Producer::new(&settings, &ProducerSettings::default()).unwrap();
    let subscription = Subscription {
        group: kafka::unique("millrace-test"),
        ..Subscription::new("test", &topics.each_ref().map(String::as_str))
    };
    let group = subscription.group.clone();
    let (begun, stop) = (Arc::<Mutex<BTreeMap<_, _>>>::default(), CancellationToken::new());
    let consumer = Consumer::new(settings, subscription, options(), producer);
    let task = tokio::spawn({
        let (slow, stop) = (Slow(Arc::clone(&begun)), stop.clone());
        async move { consumer.run_keyed(&slow, None, stop).await }
    });
    for topic in &topics {
        eventually(BOUND, "both records are committed", async || {
            let committed = kafka.committed_offsets(&group, topic).await;
            (committed.values().flatten().sum::<i64>() == 1).then_some(())
        })
        .await;
    }
    Member { task, stop }.stop().await;
    let once: BTreeMap<_, _> = topics.map(|topic| (topic.into_bytes(), 1)).into();
    assert_eq!(*begun.lock().unwrap(), once);
    assert_eq!(proxy.lost(JOIN_GROUP), 1);
}

/// Longer than a member's session.
const OUTAGE: Duration = Duration::from_secs(12);

/// A broker that hangs and one that is gone: members lose their sessions, and ask for their memberships all the while.
#[tokio::test(flavor = "multi_thread")]
async fn members_outlive_a_broker_that_hangs_and_one_that_dies() {
    let Some(kafka) = kafka::dedicated(|broker| broker).await else { return };
    let fixture = Fixture::on(&kafka, 2).await;
    let settings = || KafkaSettings::plaintext(kafka.bootstrap_servers());
    let members: Vec<_> = (0..3).map(|_| fixture.member_with_settings(settings(), Done, |_| None, options())).collect();
    let mut records = 0;
    let mut until_processed = async || {
        kafka.produce(&fixture.topic, (0..10).map(|key| record(&key.to_string(), "value"))).await;
        records += 10;
        fixture.until_committed(records).await;
    };
    until_processed().await;
    kafka.broker(1).pause().unwrap();
    tokio::time::sleep(OUTAGE).await;
    kafka.broker(1).resume().unwrap();
    until_processed().await;
    kafka.broker(1).kill().unwrap();
    tokio::time::sleep(OUTAGE).await;
    kafka.broker(1).restart().await.unwrap();
    until_processed().await;
    for member in members {
        member.stop().await;
    }
}
