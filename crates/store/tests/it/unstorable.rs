//! Rows that a database cannot store, among good ones.

use millrace_store::{AcceptResult, EventRow, NewNotification, Refusal};

use crate::fixture::{Fixture, batch, digest, next_offset, on_both, row, stored, time, write};

on_both! {
    only_text_with_a_nul_is_refused
    only_a_notification_with_a_nul_is_refused
}

async fn only_text_with_a_nul_is_refused(Fixture { store, .. }: Fixture) {
    let rows =
        [row("a", "1", 1), EventRow { key: Some("k\0"), ..row("b", "2", 2) }, row("c\0", "3", 3), row("d", "4", 4)];
    let refused = write(&store, batch(None, 4, &rows)).await.unwrap();
    let reasons: Vec<_> = refused.iter().map(|refused| (refused.row, refused.refusal.to_string())).collect();
    let reason = |field: &str| format!("cannot be stored: {field} contains a NUL character");
    assert_eq!(reasons, [(1, reason("key")), (2, reason("id"))]);
    assert_eq!(stored(&store, ["a", "b", "d"]).await.len(), 2);
    assert_eq!(next_offset(&store).await, Some(4));
}

async fn only_a_notification_with_a_nul_is_refused(Fixture { store, .. }: Fixture) {
    let accepted_at = time("2026-01-31T12:00:00Z");
    let new = |id, user_id| NewNotification { id, user_id, digest: digest(1), accepted_at, is_synthetic_id: false };
    let accepted = store.accept_notifications(&[new("a", "1"), new("b", "\0"), new("c", "3")]).await.unwrap();
    assert!(matches!(
        accepted[..],
        [AcceptResult::New, AcceptResult::Refused(Refusal::Unstorable(_)), AcceptResult::New]
    ));
}

#[tokio::test]
async fn postgresql_stores_the_rows_around_unstorable_ones() {
    let Some(fixture) = Fixture::postgres().await else { return };
    let store = &fixture.store;
    let ids: Vec<_> = (0..500).map(|n| format!("id-{n}")).collect();
    let mut rows: Vec<_> = ids.iter().map(|id| row(id, r#"{"a": 1}"#, 1)).collect();
    rows[0].data = r#"{"a": "\u0000"}"#;
    rows[17].data = r#"{"a": "\ud800"}"#;
    // Larger than an index entry, and incompressible.
    let number = |n: u32| n.wrapping_mul(n).wrapping_mul(2_654_435_761) >> 16;
    let long: Vec<_> = (0..2_000).map(|n| format!("{:04x}", number(n))).collect();
    let long = long.concat();
    rows[499].id = &long;
    let refused = write(store, batch(None, 500, &rows)).await.unwrap();
    assert_eq!(refused.iter().map(|refused| refused.row).collect::<Vec<_>>(), [0, 17, 499]);
    let reasons: Vec<_> = refused.iter().map(|refused| refused.refusal.to_string()).collect();
    assert!(reasons[0].starts_with("cannot be stored: unsupported Unicode escape sequence"), "{reasons:?}");
    assert!(reasons[1].contains("surrogate"), "{reasons:?}");
    assert!(reasons[2].contains("index"), "{reasons:?}");
    assert_eq!(stored(store, ids.iter().map(String::as_str)).await.len(), 497);
    assert_eq!(next_offset(store).await, Some(500));
}

#[tokio::test]
async fn an_unstorable_payload_leaves_its_id_to_the_next() {
    let Some(fixture) = Fixture::postgres().await else { return };
    let store = &fixture.store;
    let bad = row("a", r#""\u0000""#, 1);
    let refused = write(store, batch(None, 3, &[bad, row("a", "2", 2), bad, row("a", "3", 3)])).await.unwrap();
    let reasons: Vec<_> = refused.iter().map(|refused| (refused.row, &refused.refusal)).collect();
    assert!(
        matches!(
            reasons[..],
            [(0, Refusal::Unstorable(_)), (2, Refusal::Unstorable(_)), (3, Refusal::IdempotencyConflict)]
        ),
        "{reasons:?}"
    );
    assert_eq!(stored(store, ["a"]).await["a"], "2");
}

#[tokio::test]
async fn sqlite_keeps_json_text_as_it_is() {
    let Some(fixture) = Fixture::sqlite().await else { return };
    let store = &fixture.store;
    let data = r#"{ "b":"\u0000\ud800",  "a": 1.0 }"#;
    assert_eq!(write(store, batch(None, 1, &[row("a", data, 1)])).await.unwrap(), []);
    assert_eq!(stored(store, ["a"]).await["a"], data);
}
