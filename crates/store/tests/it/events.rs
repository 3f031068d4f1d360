//! Batches of events: stored rows, repeats and refused rows.

use millrace_store::{EventRow, Refusal, Refused, StoredEvent};

use crate::fixture::{Fixture, batch, next_offset, on_both, row, stored, time, write};

on_both! {
    an_event_is_read_as_it_was_written
    a_partition_resumes_after_its_rows
    an_empty_batch_moves_the_offset
    times_of_all_years_are_kept
    the_same_payload_again_is_a_repeat
    a_stale_synthetic_id_is_replaced
    another_payload_under_a_stored_id_is_refused
    the_first_payload_of_an_id_in_a_batch_is_kept
    offsets_are_by_consumer_topic_and_partition
    a_large_batch_is_stored_and_its_repeat_is_not
}

async fn an_event_is_read_as_it_was_written(Fixture { store, .. }: Fixture) {
    let written = EventRow {
        offset: 42,
        key: Some("ключ"),
        time: time("1969-12-31T23:59:59.999999Z"),
        received_at: time("2026-01-31T12:00:00.000001Z"),
        ..row("01J-id", r#"{"n": 12345678901234567890123, "text": "a\tb \ud83d\ude00"}"#, 1)
    };
    let bare = EventRow { key: None, ..row("events-0-43", "[]", 2) };
    assert_eq!(write(&store, batch(None, 44, &[written, bare])).await.unwrap(), []);

    let read = store.event("01J-id").await.unwrap().unwrap();
    assert!(read.data.contains("12345678901234567890123") && read.data.contains("text"), "{}", read.data);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&read.data).unwrap()["text"], "a\tb 😀");
    let expected = StoredEvent {
        id: "01J-id".to_owned(),
        event_type: "millrace.event.registered".to_owned(),
        source: "/millrace/edge".to_owned(),
        topic: "events".to_owned(),
        partition: 0,
        offset: 42,
        key: Some("ключ".to_owned()),
        time: written.time,
        received_at: written.received_at,
        data: read.data.clone(),
    };
    assert_eq!(read, expected);
    assert_eq!(store.event("events-0-43").await.unwrap().unwrap().key, None);
    assert_eq!(store.event("events-0-44").await.unwrap(), None);
}

async fn times_of_all_years_are_kept(Fixture { store, .. }: Fixture) {
    let times = ["0000-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"];
    for (offset, text) in (0..).zip(times) {
        let row = EventRow { offset, time: time(text), ..row(text, "1", 1) };
        let expected = (offset > 0).then_some(offset);
        assert_eq!(write(&store, batch(expected, offset + 1, &[row])).await.unwrap(), []);
        assert_eq!(store.event(text).await.unwrap().unwrap().time.to_string(), text);
    }
}

async fn a_partition_resumes_after_its_rows(Fixture { store, .. }: Fixture) {
    assert_eq!(next_offset(&store).await, None);
    write(&store, batch(None, 7, &[row("a", "1", 1)])).await.unwrap();
    assert_eq!(next_offset(&store).await, Some(7));
    write(&store, batch(Some(7), 9, &[row("b", "2", 2)])).await.unwrap();
    assert_eq!(next_offset(&store).await, Some(9));
}

async fn an_empty_batch_moves_the_offset(Fixture { store, .. }: Fixture) {
    assert_eq!(write(&store, batch(None, 7, &[])).await.unwrap(), []);
    assert_eq!(next_offset(&store).await, Some(7));
}

async fn the_same_payload_again_is_a_repeat(Fixture { store, .. }: Fixture) {
    let a = row("a", "1", 1);
    assert_eq!(write(&store, batch(None, 3, &[a, row("b", "2", 2), a])).await.unwrap(), []);
    let again = EventRow { offset: 9, ..a };
    assert_eq!(write(&store, batch(Some(3), 5, &[again, row("c", "3", 3)])).await.unwrap(), []);
    assert_eq!(stored(&store, ["a", "b", "c"]).await.len(), 3);
    assert_eq!(store.event("a").await.unwrap().unwrap().offset, 0, "the first row stays");
}

fn conflict(row: usize) -> Refused {
    Refused { row, refusal: Refusal::IdempotencyConflict }
}

async fn another_payload_under_a_stored_id_is_refused(Fixture { store, .. }: Fixture) {
    write(&store, batch(None, 1, &[row("b", "1", 1)])).await.unwrap();
    let rows = [row("a", "2", 2), row("b", "3", 3), row("c", "4", 4), row("b", "1", 1), row("b", "5", 5)];
    let refused = write(&store, batch(Some(1), 6, &rows)).await.unwrap();
    assert_eq!(refused, [conflict(1), conflict(4)]);
    assert_eq!(refused[0].refusal.to_string(), "idempotency_conflict");
    let kept = [("a", "2"), ("b", "1"), ("c", "4")].map(|(id, data)| (id.to_owned(), data.to_owned()));
    assert_eq!(stored(&store, ["a", "b", "c"]).await.into_iter().collect::<Vec<_>>(), kept);
    assert_eq!(next_offset(&store).await, Some(6));
}

async fn the_first_payload_of_an_id_in_a_batch_is_kept(Fixture { store, .. }: Fixture) {
    let rows = [row("z", "0", 9), row("a", "1", 1), row("a", "2", 2), row("a", "1", 1)];
    assert_eq!(write(&store, batch(None, 4, &rows)).await.unwrap(), [conflict(2)]);
    assert_eq!(stored(&store, ["a"]).await["a"], "1");
}

async fn offsets_are_by_consumer_topic_and_partition(Fixture { store, .. }: Fixture) {
    let first = batch(None, 1, &[]);
    write(&store, first).await.unwrap();
    write(&store, millrace_store::EventBatch { partition: 1, next: 2, ..first }).await.unwrap();
    write(&store, millrace_store::EventBatch { topic: "payments", next: 3, ..first }).await.unwrap();
    write(&store, millrace_store::EventBatch { consumer: "other", next: 4, ..first }).await.unwrap();
    assert_eq!(next_offset(&store).await, Some(1));
    assert_eq!(store.next_offset("event-store", "events", 1).await.unwrap(), Some(2));
    assert_eq!(store.next_offset("event-store", "payments", 0).await.unwrap(), Some(3));
    assert_eq!(store.next_offset("other", "events", 0).await.unwrap(), Some(4));
}

async fn a_large_batch_is_stored_and_its_repeat_is_not(Fixture { store, .. }: Fixture) {
    let ids: Vec<_> = (0..3_001).map(|n| format!("id-{n}")).collect();
    let rows: Vec<_> = ids.iter().map(|id| row(id, "{}", 1)).collect();
    assert_eq!(write(&store, batch(None, 3_001, &rows)).await.unwrap(), []);
    assert_eq!(write(&store, batch(Some(3_001), 6_002, &rows)).await.unwrap(), []);
    let mut others = rows.clone();
    others[2_999].digest = [2; 32];
    assert_eq!(write(&store, batch(Some(6_002), 9_003, &others)).await.unwrap(), [conflict(2_999)]);
    assert_eq!(stored(&store, ids.iter().map(String::as_str)).await.len(), 3_001);
}

async fn a_stale_synthetic_id_is_replaced(Fixture { store, .. }: Fixture) {
    let synthetic = |data, digest_of| EventRow { is_synthetic_id: true, ..row("events-0-0", data, digest_of) };
    write(&store, batch(None, 1, &[synthetic("1", 1), row("b", "1", 1)])).await.unwrap();
    assert_eq!(write(&store, batch(Some(1), 1, &[synthetic("1", 1)])).await.unwrap(), []);
    assert_eq!(write(&store, batch(Some(1), 1, &[synthetic("2", 2), row("b", "2", 2)])).await.unwrap(), [conflict(1)]);
    // An event whose producer chose an id that looks like a position keeps it.
    let named = row("events-0-77", "1", 1);
    let synthetic = EventRow { is_synthetic_id: true, offset: 77, ..row("events-0-77", "2", 2) };
    assert_eq!(write(&store, batch(Some(1), 2, &[named])).await.unwrap(), []);
    assert_eq!(write(&store, batch(Some(2), 78, &[synthetic])).await.unwrap(), [conflict(0)]);
    assert_eq!(stored(&store, ["events-0-0"]).await["events-0-0"], "2");
}
