//! Stored rows, and dead letters.

use millrace_broker::topics::TopicSpec;
use millrace_consumer::{Consumer, ConsumerError, ConsumerOptions};
use millrace_event_store::EventStore;
use millrace_kafka::admin::AdminClient;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer};
use millrace_store::{Store, StoredEvent};
use millrace_testkit::kafka::{Kafka, RawRecord};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fixture::{AnyDatabase, WAIT_TIMEOUT, dead_letters, kafka_with_topics, stored};

struct Consuming {
    task: JoinHandle<Result<(), ConsumerError>>,
    stop: CancellationToken,
}

impl Consuming {
    async fn start(kafka: &Kafka, store: &Store) -> Self {
        let settings = KafkaSettings::plaintext(kafka.bootstrap_servers());
        let events = EventStore::of(store.clone(), &AdminClient::new(&settings).unwrap(), WAIT_TIMEOUT).await.unwrap();
        let dead_letters = Producer::new(&settings, &ProducerSettings::default()).unwrap();
        let consumer =
            Consumer::new(settings, millrace_event_store::subscription(), ConsumerOptions::default(), dead_letters);
        let stop = CancellationToken::new();
        let shutdown = stop.clone();
        Self { task: tokio::spawn(async move { consumer.run_batches(&events, shutdown).await }), stop }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn event(id: &str, value: &str) -> RawRecord {
    RawRecord { timestamp: Some(1_769_860_800_123), ..RawRecord::new(value) }
        .key("k")
        .partition(0)
        .header("ce_id", id)
        .header("ce_type", "com.example.seen")
        .header("ce_source", "/shop")
        .header("ce_time", "2026-01-31T11:59:59.5Z")
        .header("content-type", "application/json")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_stored_with_all_its_columns() {
    let Some(kafka) = kafka_with_topics(1).await else { return };
    let Some(postgres) = AnyDatabase::postgres().await else { return };
    kafka.produce("events", [event("whole", r#"{"n":12345678901234567890.50,"é":"ß"}"#)]).await;
    let payment = event("paid", r#"{"order_id":"101"}"#).header("ce_time", "9999-12-31T23:59:59Z");
    kafka.produce("payments", [payment]).await;
    for database in [postgres, AnyDatabase::sqlite()] {
        let store = Store::connect(&database.url()).await.unwrap();
        let consuming = Consuming::start(&kafka, &store).await;
        let whole = stored(&store, "whole").await;
        let data: String = whole.data.split_whitespace().collect();
        assert_eq!(data, r#"{"n":12345678901234567890.50,"é":"ß"}"#);
        let expected = StoredEvent {
            id: "whole".to_owned(),
            event_type: "com.example.seen".to_owned(),
            source: "/shop".to_owned(),
            topic: "events".to_owned(),
            partition: 0,
            offset: 0,
            key: Some("k".to_owned()),
            time: "2026-01-31T11:59:59.5Z".parse().unwrap(),
            received_at: "2026-01-31T12:00:00.123Z".parse().unwrap(),
            data: whole.data.clone(),
        };
        assert_eq!(whole, expected);
        let paid = stored(&store, "paid").await;
        assert_eq!((paid.topic.as_str(), paid.time.to_string().as_str()), ("payments", "9999-12-31T23:59:59Z"));
        consuming.stop().await;
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_other_producers_are_stored() {
    let Some(kafka) = kafka_with_topics(1).await else { return };
    let database = AnyDatabase::sqlite();
    let store = Store::connect(&database.url()).await.unwrap();
    let bare = RawRecord { timestamp: Some(1_769_860_800_000), ..RawRecord::new("[1, 2]") };
    let text = event("text", "a,b").header("content-type", "text/csv");
    let bytes = event("bytes", "").header("content-type", "application/octet-stream");
    let nul = event("nul", "").header("content-type", "application/octet-stream");
    let nul = RawRecord { value: Some(vec![0, 1]), ..nul };
    kafka.produce("events", [bare, text, nul, RawRecord { value: Some(vec![0xff, 0xfe]), ..bytes }]).await;
    let consuming = Consuming::start(&kafka, &store).await;
    assert_eq!(stored(&store, "bytes").await.data, r#"{"base64":"//4="}"#);
    assert_eq!(stored(&store, "text").await.data, r#""a,b""#);
    assert_eq!(stored(&store, "nul").await.data, r#"{"base64":"AAE="}"#);
    let bare = stored(&store, "events-0-0").await;
    assert_eq!((&*bare.data, &*bare.event_type, bare.key), ("[1, 2]", "millrace.event.registered", None));
    assert_eq!(bare.time, "2026-01-31T12:00:00Z".parse().unwrap());
    consuming.stop().await;
}

/// The other rows of the batch are stored. Dead letters are equal byte for byte.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_refused_records_of_a_batch_are_dead_lettered() {
    let Some(kafka) = kafka_with_topics(1).await else { return };
    let Some(database) = AnyDatabase::postgres().await else { return };
    let store = Store::connect(&database.url()).await.unwrap();
    let poison = event("poison", "{\"broken\": \n").header("x", "y");
    kafka
        .produce(
            "events",
            [
                event("before", r#"{"n":1}"#),
                poison,
                event("before", r#"{"n":1}"#),
                event("before", r#"{"n":2}"#),
                event("nul", r#"{"text":"\u0000"}"#),
                event("after", r#"{"n":3}"#),
            ],
        )
        .await;
    let consuming = Consuming::start(&kafka, &store).await;
    stored(&store, "after").await;
    assert!(stored(&store, "before").await.data.contains('1'));
    let dead_letters = dead_letters(&kafka, "events", 3).await;
    let found: Vec<_> = dead_letters
        .iter()
        .map(|dead_letter| {
            let header = |name| dead_letter.header(name).unwrap();
            (header("ce_id"), header("dlq.offset"), header("dlq.error.class"), header("dlq.error.reason"))
        })
        .collect();
    assert!(matches!(found[0], ("poison", "1", "permanent", reason) if reason.starts_with("not JSON")), "{found:?}");
    assert_eq!(found[1], ("before", "3", "permanent", "idempotency_conflict"));
    assert!(matches!(found[2], ("nul", "4", "permanent", reason) if reason.contains("cannot be stored")), "{found:?}");
    assert_eq!(
        (dead_letters[0].value.as_deref(), dead_letters[0].header("x")),
        (Some(&b"{\"broken\": \n"[..]), Some("y"))
    );
    consuming.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recreated_topic_is_stored_from_its_beginning() {
    let Some(kafka) = kafka_with_topics(1).await else { return };
    let database = AnyDatabase::sqlite();
    let store = Store::connect(&database.url()).await.unwrap();
    let produce = async |prefix: &str, count: usize| {
        let events = (0..count).map(|number| event(&format!("{prefix}-{number}"), r#"{"n":1}"#));
        kafka.produce("events", events).await;
    };
    produce("first", 20).await;
    let consuming = Consuming::start(&kafka, &store).await;
    stored(&store, "first-19").await;
    consuming.stop().await;

    kafka.delete_topic("events").await;
    kafka.create_topics(&[TopicSpec::new("events", 1)]).await;
    // More than before: the stored offset is within the new topic.
    produce("second", 30).await;
    let consuming = Consuming::start(&kafka, &store).await;
    for number in 0..30 {
        stored(&store, &format!("second-{number}")).await;
    }
    consuming.stop().await;
}
