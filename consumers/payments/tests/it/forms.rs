//! The forms of orders that producers write, and records that are not orders.

use std::time::Duration;

use jiff::Timestamp;
use millrace_domain::payment::{DeclineRules, payment_id};
use millrace_payments::gateway::SimulatedGateway;
use millrace_testkit::kafka::{Isolation, OwnedRecord, RawRecord};

use crate::fixture::{Fixture, order};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn gateway() -> SimulatedGateway {
    SimulatedGateway { delay: Duration::ZERO, rules: DeclineRules { above: 100.0 } }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_an_order_is_paid_under_its_id_and_trace() {
    let Some(fixture) = Fixture::new().await else { return };
    let forms = [
        (r#""101""#, "101"),
        ("102", "102"),
        (r#"{"order_id": 103}"#, "103"),
        (r#"{"order_id": "104", "amount": 99.50, "note": "ring twice"}"#, "104"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
    ];
    fixture
        .order(forms.iter().map(|(value, id)| order(id, &format!("event-{id}"), value).header("traceparent", TRACE)))
        .await;
    let member = fixture.member(gateway()).await;
    fixture.settled().await;
    member.stop().await;

    let values = fixture.values().await;
    assert_eq!(values.len(), forms.len());
    for (_, id) in forms {
        let [value] = values[id].as_slice() else { panic!("one payment for {id}: {values:?}") };
        assert_eq!(value["status"], "paid");
        assert_eq!(value["payment_id"], payment_id(&format!("event-{id}")).as_str());
    }
    assert_eq!(values["104"][0]["amount"].to_string(), "99.5");

    for payment in fixture.payments().await {
        let header = |name| payment.header(name).unwrap();
        let value = payment.value_text().unwrap();
        assert_eq!((header("ce_type"), header("ce_source")), ("millrace.payment.settled", "/millrace/payments"));
        assert_eq!((header("ce_specversion"), header("content-type")), ("1.0", "application/json"));
        assert!(value.contains(&format!(r#""payment_id":"{}""#, header("ce_id"))), "{value}");
        assert!(value.contains(&format!(r#""processed_at":"{}""#, header("ce_time"))), "{value}");
        assert!(header("ce_time").parse::<Timestamp>().is_ok() && header("ce_time").ends_with('Z'));
        let (trace, parent) = header("traceparent").split_at(36);
        assert!(trace == &TRACE[..36] && parent[..16] != TRACE[36..52], "{trace}{parent}");
    }
}

/// A repeated event has a second payment record under the same payment id.
#[tokio::test(flavor = "multi_thread")]
async fn each_order_record_has_one_payment_record() {
    let Some(fixture) = Fixture::new().await else { return };
    let bare = RawRecord::new("101").key("101");
    fixture.order([bare.clone(), bare, order("101", "event-1", "101"), order("101", "event-1", "101")]).await;
    let member = fixture.member(gateway()).await;
    fixture.settled().await;
    member.stop().await;

    let values = fixture.values().await;
    let ids: Vec<_> = values["101"].iter().map(|value| value["payment_id"].as_str().unwrap().to_owned()).collect();
    let orders = fixture.kafka.read_all(&fixture.orders, Isolation::Committed).await;
    let from_position = |index: usize| {
        let OwnedRecord { partition, offset, timestamp, .. } = &orders[index];
        let time = timestamp.expect("the broker's or the producer's");
        payment_id(&format!("{}-{partition}-{offset}@{time}", fixture.orders)).to_string()
    };
    let of_event = payment_id("event-1").to_string();
    assert_eq!(ids, [from_position(0), from_position(1), of_event.clone(), of_event]);
}

/// The dead letters are equal byte for byte, and the orders between them are paid.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_not_an_order_is_dead_lettered() {
    let Some(fixture) = Fixture::new().await else { return };
    let poison = [
        ("101.5", "not an order: the value must be an object"),
        ("null", "not null"),
        ("true", "not a boolean"),
        ("[101]", "not an array"),
        (r#""""#, "not an empty string"),
        (r#"{"amount": 1}"#, "/order_id is required"),
        (r#"{"order_id": "7", "amount": "ten"}"#, "/amount must be a number"),
        ("ORD-7", "not JSON"),
        ("", "the value is empty"),
    ];
    let sent: Vec<RawRecord> = poison
        .iter()
        .map(|(value, _)| order("7", "poison", value).header("note", [0xff, 0x00]).header("note", "again"))
        .collect();
    let good = |number: usize| order("7", &format!("event-{number}"), "7");
    let records = sent.iter().enumerate().flat_map(|(index, poison)| [good(index), poison.clone()]);
    fixture.order(records).await;
    let member = fixture.member(gateway()).await;
    fixture.settled().await;
    member.stop().await;

    let dead_letters = fixture.dead_letters().await;
    assert_eq!(dead_letters.len(), poison.len());
    for ((dead_letter, sent), (value, reason)) in dead_letters.iter().zip(&sent).zip(poison) {
        assert_eq!((&dead_letter.key, &dead_letter.value), (&sent.key, &sent.value));
        assert_eq!(dead_letter.headers[..sent.headers.len()], sent.headers);
        assert_eq!(dead_letter.header("dlq.error.class"), Some("permanent"));
        let found = dead_letter.header("dlq.error.reason").unwrap();
        assert!(found.contains(reason), "{value}: {found}");
    }
    let ids: Vec<_> = fixture.values().await["7"].iter().map(|value| value["payment_id"].clone()).collect();
    let expected: Vec<_> = (0..poison.len()).map(|index| payment_id(&format!("event-{index}")).to_string()).collect();
    assert_eq!(ids, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn amounts_above_the_limit_are_declined_with_a_reason() {
    let Some(fixture) = Fixture::new().await else { return };
    let amounts = [("paid", "100"), ("text", r#""100.01""#), ("large", "1e5"), ("negative", "-1")];
    fixture
        .order(amounts.map(|(id, amount)| order(id, id, &format!(r#"{{"order_id": "{id}", "amount": {amount}}}"#))))
        .await;
    let member = fixture.member(gateway()).await;
    fixture.settled().await;
    member.stop().await;

    let values = fixture.values().await;
    let found = ["paid", "text", "large", "negative"].map(|id| {
        let value = &values[id][0];
        (value["status"].as_str().unwrap(), value["reason"].as_str())
    });
    let above = ("declined", Some("the amount is above 100"));
    assert_eq!(found, [("paid", None), above, above, ("declined", Some("the amount is negative"))]);
    assert!(fixture.dead_letters().await.is_empty());
}
