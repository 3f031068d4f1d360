//! The delivery log: what is recorded, and what is not repeated.

use http::StatusCode;
use millrace_consumer::Outcome;
use millrace_domain::DeadLetterClass;
use millrace_notifier::Notifier;
use millrace_store::{DeliveryStatus, NotificationStatus, Store, sqlite_url};
use millrace_testkit::webhook::Answer;
use millrace_testkit::{WebhookReceiver, eventually};
use tempfile::TempDir;

use crate::running::WAIT_TIMEOUT;
use crate::setup::{dead_letter, notifier, process, record, route, webhook};

pub(crate) async fn store(folder: &TempDir) -> Store {
    Store::connect(&sqlite_url(&folder.path().join("deliveries.db"))).await.unwrap()
}

/// A notifier with one webhook, as after a process start.
async fn started(receiver: &WebhookReceiver, folder: &TempDir) -> (Notifier, Store) {
    let store = store(folder).await;
    let config = webhook("hook", &receiver.url("/hook")) + &route("hook");
    (notifier(&config).recording_in(store.clone()), store)
}

#[tokio::test]
async fn a_recorded_delivery_is_not_repeated_after_a_restart() {
    let (receiver, folder) = (WebhookReceiver::start().await.unwrap(), tempfile::tempdir().unwrap());
    for _ in 0..2 {
        let (notifier, store) = started(&receiver, &folder).await;
        for _ in 0..2 {
            assert_eq!(process(&notifier, record("event-1", "12345", "hello")).await, Outcome::DONE);
        }
        let stored = store.notification("event-1").await.unwrap().unwrap();
        assert_eq!((&*stored.user_id, stored.status), ("12345", NotificationStatus::Delivered));
        assert_eq!(stored.deliveries.len(), 1);
    }
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn every_attempt_is_recorded_with_its_error() {
    let (receiver, folder) = (WebhookReceiver::start().await.unwrap(), tempfile::tempdir().unwrap());
    let (notifier, store) = started(&receiver, &folder).await;
    receiver.answer("/hook", [Answer::status(StatusCode::SERVICE_UNAVAILABLE), Answer::status(StatusCode::OK)]);
    assert_eq!(process(&notifier, record("event-1", "12345", "hello")).await, Outcome::DONE);
    let deliveries = store.notification("event-1").await.unwrap().unwrap().deliveries;
    let attempts: Vec<_> = deliveries
        .iter()
        .map(|delivery| (&*delivery.destination, delivery.attempt, delivery.status, delivery.error.is_some()))
        .collect();
    assert_eq!(attempts, [("hook", 1, DeliveryStatus::Failed, true), ("hook", 2, DeliveryStatus::Delivered, false)]);
    assert!(deliveries[0].error.as_ref().unwrap().contains("503"), "{deliveries:?}");
}

#[tokio::test]
async fn an_interrupted_notification_has_its_remaining_attempts() {
    let (receiver, folder) = (WebhookReceiver::start().await.unwrap(), tempfile::tempdir().unwrap());
    let refused = Answer::status(StatusCode::SERVICE_UNAVAILABLE);
    let later = Answer::retry_after(StatusCode::SERVICE_UNAVAILABLE, "60");
    receiver.answer("/hook", [refused.clone(), later, refused]);
    let (notifier, store) = started(&receiver, &folder).await;
    let recorded = eventually(WAIT_TIMEOUT, "two attempts are recorded", async || {
        let stored = store.notification("event-1").await.unwrap();
        stored.filter(|stored| stored.deliveries.len() == 2)
    });
    tokio::select! {
        _ = recorded => {}
        outcome = process(&notifier, record("event-1", "12345", "hello")) => panic!("not interrupted: {outcome:?}"),
    }

    let (notifier, store) = started(&receiver, &folder).await;
    let (class, _) = dead_letter(process(&notifier, record("event-1", "12345", "hello")).await);
    assert_eq!((class, receiver.received().len()), (DeadLetterClass::Transient, 5));
    let stored = store.notification("event-1").await.unwrap().unwrap();
    assert_eq!(stored.deliveries.iter().map(|delivery| delivery.attempt).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_failed_notification_can_be_replayed() {
    let (receiver, folder) = (WebhookReceiver::start().await.unwrap(), tempfile::tempdir().unwrap());
    let (notifier, store) = started(&receiver, &folder).await;
    receiver.answer("/hook", [Answer::status(StatusCode::GONE), Answer::status(StatusCode::OK)]);
    let (class, _) = dead_letter(process(&notifier, record("event-1", "12345", "hello")).await);
    assert_eq!(class, DeadLetterClass::Permanent);
    assert_eq!(store.notification("event-1").await.unwrap().unwrap().status, NotificationStatus::Failed);

    assert_eq!(process(&notifier, record("event-1", "12345", "hello")).await, Outcome::DONE);
    let stored = store.notification("event-1").await.unwrap().unwrap();
    assert_eq!(stored.status, NotificationStatus::Delivered);
    assert_eq!(stored.deliveries.iter().map(|delivery| delivery.attempt).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn another_payload_under_a_known_id_is_rejected() {
    let (receiver, folder) = (WebhookReceiver::start().await.unwrap(), tempfile::tempdir().unwrap());
    let (notifier, _) = started(&receiver, &folder).await;
    assert_eq!(process(&notifier, record("event-1", "12345", "hello")).await, Outcome::DONE);
    for other in [record("event-1", "12345", "goodbye"), record("event-1", "777", "hello")] {
        let (class, reason) = dead_letter(process(&notifier, other).await);
        assert_eq!((class, &*reason), (DeadLetterClass::Permanent, "idempotency_conflict"));
    }
    assert_eq!(receiver.received().len(), 1);
}
