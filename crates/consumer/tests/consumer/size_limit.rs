//! A dead-letter topic that takes less than its source does.

use std::time::Duration;

use millrace_consumer::{ConsumerError, Outcome};
use millrace_kafka::admin::AdminClient;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, OwnedProducerRecord, Producer};
use millrace_testkit::kafka::{self, Kafka};
use millrace_testkit::wait::eventually;
use rdkafka::message::OwnedHeaders;

use crate::fixture::{BOUND, Fixture, MAX_MESSAGE_BYTES, Member, record};
use crate::keyed::Closure;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

fn settings(kafka: &Kafka) -> KafkaSettings {
    KafkaSettings::plaintext(kafka.bootstrap_servers())
}

fn refuse_all() -> Closure<impl Fn(String, String, u32) -> std::future::Ready<Outcome> + Send + Sync> {
    Closure(|_, _, _| std::future::ready(Outcome::reject("no")))
}

fn refusing(fixture: &Fixture<'_>) -> Member {
    fixture.member(refuse_all(), Fixture::options())
}

async fn limit_of_letters(fixture: &Fixture<'_>) -> usize {
    let admin = AdminClient::new(&settings(fixture.kafka)).unwrap();
    let letters = format!("{}.dlq", fixture.topic);
    admin.topic_setting(&letters, MAX_MESSAGE_BYTES, BOUND).await.unwrap().unwrap().parse().unwrap()
}

async fn until_limit(fixture: &Fixture<'_>, bytes: usize) {
    let what = format!("the dead-letter topic takes {bytes} bytes");
    eventually(BOUND, &what, async || (limit_of_letters(fixture).await == bytes).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_smaller_dead_letter_topic_follows_its_source_at_start() {
    let Some(kafka) = kafka::shared().await else { return };
    let fixture = Fixture::limited(kafka, 2 * MIB, 100 * KIB).await;
    let retention = || async {
        let admin = AdminClient::new(&settings(kafka)).unwrap();
        admin.topic_setting(&format!("{}.dlq", fixture.topic), "retention.ms", BOUND).await.unwrap().unwrap()
    };
    let admin = AdminClient::new(&settings(kafka)).unwrap();
    let letters = format!("{}.dlq", fixture.topic);
    admin.set_topic_setting(&letters, "retention.ms", "86400000".to_owned(), BOUND).await.unwrap();
    let member = refusing(&fixture);
    until_limit(&fixture, 2 * MIB + 64 * KIB).await;
    assert_eq!(retention().await, "86400000", "other settings stay");
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_limit_raised_later_stops_no_consumer() {
    let Some(kafka) = kafka::shared().await else { return };
    let fixture = Fixture::limited(kafka, MIB, 100 * KIB).await;
    let member = refusing(&fixture);
    until_limit(&fixture, MIB + 64 * KIB).await;
    let admin = AdminClient::new(&settings(kafka)).unwrap();
    admin.set_topic_setting(&fixture.topic, MAX_MESSAGE_BYTES, (4 * MIB).to_string(), BOUND).await.unwrap();
    let value = vec![b'x'; 3 * MIB];
    fixture.kafka.produce(&fixture.topic, [record("k", value.clone()), record("k", "small")]).await;
    fixture.until_committed(2).await;
    member.stop().await;
    let letters = fixture.letters().await;
    assert!(letters[0].value.as_deref() == Some(&value[..]), "byte for byte");
    assert_eq!((letters.len(), letters[1].value_text()), (2, Some("small")));
    assert_eq!(limit_of_letters(&fixture).await, 4 * MIB + 64 * KIB);
}

/// Each letter is below the limit, and a batch of them is not.
#[tokio::test(flavor = "multi_thread")]
async fn many_letters_at_once_fit_a_topic_for_small_records() {
    let Some(kafka) = kafka::shared().await else { return };
    let fixture = Fixture::limited(kafka, 20 * KIB, KIB).await;
    let producer = Producer::new(&settings(kafka), &ProducerSettings::default()).unwrap();
    for key in 0..200 {
        let (key, value, headers) = (key.to_string(), vec![b'x'; 15 * KIB], OwnedHeaders::new());
        let topic = fixture.topic.clone().into();
        let record = OwnedProducerRecord { topic, key: Some(key.into_bytes()), value: Some(value), headers };
        producer.send(record.as_record()).await.unwrap();
    }
    let member = refusing(&fixture);
    fixture.until_committed(200).await;
    member.stop().await;
    let mut keys: Vec<_> = fixture.letters().await.iter().map(|letter| letter.key.clone()).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 200);
}

/// Here the client refuses it, whatever its topic takes.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_stays_too_large_halts_the_consumer() {
    let Some(kafka) = kafka::shared().await else { return };
    let fixture = Fixture::limited(kafka, 2 * MIB, 3 * MIB).await;
    fixture.kafka.produce(&fixture.topic, [record("k", "fine"), record("k", vec![b'x'; MIB])]).await;
    let overrides = vec![("message.max.bytes".to_owned(), "500000".to_owned())];
    let settings = KafkaSettings { overrides, ..settings(kafka) };
    let member = fixture.member_with_settings(settings, refuse_all(), |_| None, Fixture::options());
    let end = tokio::time::timeout(Duration::from_secs(120), member.task).await.expect("the consumer halts").unwrap();
    let Err(ConsumerError::DeadLetterRefused(reason)) = end else { panic!("the consumer ended otherwise: {end:?}") };
    assert!(reason.contains(&format!("cannot be written to {}.dlq", fixture.topic)), "{reason}");
    assert!(reason.ends_with("although the topic's max.message.bytes is 3145728"), "{reason}");
    assert!(fixture.committed().await <= 1, "it is read again");
}
