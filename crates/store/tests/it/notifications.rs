//! Notifications: acceptance, delivery attempts, result.

use millrace_store::{
    AcceptResult, Delivery, DeliveryStatus, DestinationProgress, NewNotification, NotificationOutcome,
    NotificationResult, NotificationStatus, Progress, Refusal, Refused, Store, StoredNotification,
};

use crate::fixture::{Fixture, batch, digest, on_both, row, time, write};

on_both! {
    an_accepted_notification_is_found
    exactly_one_concurrent_acceptance_is_new
    another_payload_under_an_accepted_id_is_a_conflict
    an_id_names_one_event_in_both_tables
    an_event_and_a_notification_cannot_share_an_id
    a_batch_may_repeat_an_id
    a_repeat_returns_the_progress
    a_notification_fails_when_all_destinations_fail
    a_delivered_attempt_stays_delivered
    a_stale_synthetic_id_is_replaced_with_its_deliveries
    a_nul_in_an_error_is_replaced
}

fn new(id: &str, digest_of: u8) -> NewNotification<'_> {
    let accepted_at = time("2026-01-31T12:00:00Z");
    NewNotification { id, user_id: "12345", digest: digest(digest_of), accepted_at, is_synthetic_id: false }
}

fn delivery<'a>(destination: &'a str, attempt: i32, second: i32, error: Option<&'a str>) -> Delivery<'a> {
    let status = if error.is_some() { DeliveryStatus::Failed } else { DeliveryStatus::Delivered };
    let at = time(&format!("2026-01-31T12:00:{second:02}Z"));
    Delivery { event_id: "a", user_id: "12345", destination, attempt, status, at, error }
}

async fn accept(store: &Store, new: NewNotification<'_>) -> AcceptResult {
    store.accept_notifications(&[new]).await.unwrap().remove(0)
}

async fn read(store: &Store) -> StoredNotification {
    store.notification("a").await.unwrap().unwrap()
}

fn result(outcome: NotificationOutcome) -> [NotificationResult<'static>; 1] {
    [NotificationResult { event_id: "a", outcome }]
}

async fn an_accepted_notification_is_found(Fixture { store, .. }: Fixture) {
    assert_eq!(store.notification("a").await.unwrap(), None);
    assert_eq!(accept(&store, new("a", 1)).await, AcceptResult::New);
    let found = read(&store).await;
    assert_eq!((&*found.id, &*found.user_id, found.status.as_str()), ("a", "12345", "accepted"));
    assert!(found.deliveries.is_empty());
    assert_eq!(store.notification("b").await.unwrap(), None);
}

async fn exactly_one_concurrent_acceptance_is_new(fixture: Fixture) {
    let stores = [fixture.store.clone(), Store::connect(fixture.url()).await.unwrap()];
    let accepting: Vec<_> = (0..50)
        .map(|n| {
            let store = stores[n % 2].clone();
            tokio::spawn(async move {
                // Each with another id of its own, in either order.
                let own = format!("own-{n}");
                let group = if n % 3 == 0 { [new("a", 1), new(&own, 1)] } else { [new(&own, 1), new("a", 1)] };
                let results = store.accept_notifications(&group).await.unwrap();
                let of_a = group.iter().position(|new| new.id == "a").unwrap();
                assert_eq!(results[1 - of_a], AcceptResult::New);
                results[of_a].clone()
            })
        })
        .collect();
    let mut news = 0;
    for accepted in accepting {
        match accepted.await.unwrap() {
            AcceptResult::New => news += 1,
            repeat => assert_eq!(repeat, AcceptResult::Repeat(Progress::default())),
        }
    }
    assert_eq!(news, 1);
}

async fn another_payload_under_an_accepted_id_is_a_conflict(Fixture { store, .. }: Fixture) {
    accept(&store, new("a", 1)).await;
    assert_eq!(accept(&store, new("a", 2)).await, AcceptResult::Refused(Refusal::IdempotencyConflict));
    assert_eq!(accept(&store, new("a", 1)).await, AcceptResult::Repeat(Progress::default()));
}

async fn an_id_names_one_event_in_both_tables(Fixture { store, .. }: Fixture) {
    accept(&store, new("notification", 1)).await;
    let rows = [row("notification", "{}", 2), row("payment", "{}", 1), row("row", "{}", 1)];
    let refused = write(&store, batch(None, 3, &rows)).await.unwrap();
    assert_eq!(refused, [Refused { row: 0, refusal: Refusal::IdempotencyConflict }]);
    let group = [new("row", 2), new("payment", 1), new("new", 1)];
    let accepted = store.accept_notifications(&group).await.unwrap();
    assert_eq!(accepted, [AcceptResult::Refused(Refusal::IdempotencyConflict), AcceptResult::New, AcceptResult::New]);
    assert_eq!(store.event("notification").await.unwrap(), None);
    assert_eq!(store.notification("row").await.unwrap(), None);
}

async fn an_event_and_a_notification_cannot_share_an_id(Fixture { store, .. }: Fixture) {
    for round in 0..50_i64 {
        let id = format!("at-once-{round}");
        let rows = [row(&id, "{}", 1)];
        let expected = (round > 0).then_some(round);
        let (refused, accepted) =
            tokio::join!(write(&store, batch(expected, round + 1, &rows)), accept(&store, new(&id, 2)));
        assert_ne!(refused.unwrap().is_empty(), accepted == AcceptResult::New, "{id}");
    }
}

async fn a_batch_may_repeat_an_id(Fixture { store, .. }: Fixture) {
    let group = [new("b", 1), new("a", 1), new("a", 2), new("a", 1), new("b", 1)];
    let accepted = store.accept_notifications(&group).await.unwrap();
    let repeat = || AcceptResult::Repeat(Progress::default());
    let conflict = AcceptResult::Refused(Refusal::IdempotencyConflict);
    assert_eq!(accepted, [AcceptResult::New, AcceptResult::New, conflict, repeat(), repeat()]);
    assert_eq!(store.accept_notifications(&[]).await.unwrap(), []);
}

async fn a_repeat_returns_the_progress(Fixture { store, .. }: Fixture) {
    accept(&store, new("a", 1)).await;
    let attempts =
        [delivery("mail", 1, 2, None), delivery("hook", 1, 1, Some("503")), delivery("hook", 2, 3, Some("504"))];
    store.record_deliveries(&attempts, &[]).await.unwrap();
    let destination = |destination: &str, attempts, delivered| DestinationProgress {
        destination: destination.to_owned(),
        attempts,
        delivered,
    };
    let mut progress =
        Progress { outcome: None, destinations: vec![destination("hook", 2, false), destination("mail", 1, true)] };
    let group = [new("a", 1), new("b", 1), new("a", 1)];
    let accepted = store.accept_notifications(&group).await.unwrap();
    assert_eq!(
        accepted,
        [AcceptResult::Repeat(progress.clone()), AcceptResult::New, AcceptResult::Repeat(progress.clone())]
    );

    store.record_deliveries(&[], &result(NotificationOutcome::Delivered)).await.unwrap();
    progress.outcome = Some(NotificationOutcome::Delivered);
    assert_eq!(accept(&store, new("a", 1)).await, AcceptResult::Repeat(progress));

    let found = read(&store).await;
    assert_eq!(found.status, NotificationStatus::Delivered);
    let order: Vec<_> = found.deliveries.iter().map(|attempt| (&*attempt.destination, attempt.attempt)).collect();
    assert_eq!(order, [("hook", 1), ("mail", 1), ("hook", 2)]);
    let last = &found.deliveries[2];
    assert_eq!((last.at, last.status.as_str(), last.error.as_deref()), (attempts[2].at, "failed", Some("504")));
}

async fn a_notification_fails_when_all_destinations_fail(Fixture { store, .. }: Fixture) {
    accept(&store, new("a", 1)).await;
    store.record_deliveries(&[delivery("mail", 1, 1, Some("no such user"))], &[]).await.unwrap();
    assert_eq!(read(&store).await.status, NotificationStatus::Accepted, "another destination may be tried");
    let last = [delivery("hook", 1, 2, Some("410"))];
    store.record_deliveries(&last, &result(NotificationOutcome::Failed)).await.unwrap();
    assert_eq!(read(&store).await.status, NotificationStatus::Failed);

    // After a replay.
    let again = [delivery("hook", 2, 3, None)];
    store.record_deliveries(&again, &result(NotificationOutcome::Delivered)).await.unwrap();
    assert_eq!(read(&store).await.status, NotificationStatus::Delivered);
}

async fn a_delivered_attempt_stays_delivered(Fixture { store, .. }: Fixture) {
    accept(&store, new("a", 1)).await;
    // An attempt with an unknown outcome is made again under its number.
    store.record_deliveries(&[delivery("hook", 1, 1, Some("reset"))], &[]).await.unwrap();
    let twice = [delivery("hook", 1, 2, None), delivery("hook", 1, 3, Some("late"))];
    store.record_deliveries(&twice, &result(NotificationOutcome::Delivered)).await.unwrap();
    store
        .record_deliveries(&[delivery("hook", 1, 4, Some("later"))], &result(NotificationOutcome::Failed))
        .await
        .unwrap();
    let found = read(&store).await;
    assert_eq!(found.deliveries.len(), 1);
    assert_eq!(found.deliveries[0].at, twice[0].at);
    assert_eq!(found.deliveries[0].error, None);
    let AcceptResult::Repeat(progress) = accept(&store, new("a", 1)).await else { panic!("it was accepted") };
    assert_eq!(progress.outcome, Some(NotificationOutcome::Delivered));
}

async fn a_nul_in_an_error_is_replaced(Fixture { store, .. }: Fixture) {
    accept(&store, new("a", 1)).await;
    store.record_deliveries(&[delivery("hook", 1, 1, Some("502 \0 bad"))], &[]).await.unwrap();
    assert_eq!(read(&store).await.deliveries[0].error.as_deref(), Some("502 \u{fffd} bad"));
}

async fn a_stale_synthetic_id_is_replaced_with_its_deliveries(Fixture { store, .. }: Fixture) {
    let synthetic = |digest_of| NewNotification { is_synthetic_id: true, ..new("a", digest_of) };
    assert_eq!(accept(&store, synthetic(1)).await, AcceptResult::New);
    store.record_deliveries(&[delivery("hook", 1, 1, None)], &result(NotificationOutcome::Delivered)).await.unwrap();
    assert!(matches!(accept(&store, synthetic(1)).await, AcceptResult::Repeat(_)), "the same record again is a repeat");
    assert_eq!(accept(&store, synthetic(2)).await, AcceptResult::New);
    let read = read(&store).await;
    assert_eq!((read.status, read.deliveries), (NotificationStatus::Accepted, Vec::new()));
}
