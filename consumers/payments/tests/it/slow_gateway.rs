//! Slow gateways: orders are concurrent across keys and ordered within a key, and a stop does not wait for a charge.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use millrace_domain::payment::{DeclineRules, Settlement};
use millrace_payments::gateway::{Charge, Gateway, GatewayError, SimulatedGateway};
use tokio::sync::Notify;

use crate::fixture::{Fixture, WAIT_TIMEOUT, order};

fn gateway(delay: Duration) -> SimulatedGateway {
    SimulatedGateway { delay, rules: DeclineRules { above: 100.0 } }
}

/// Forty orders of a second each are paid within seconds, and four of one id one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn orders_are_concurrent_across_ids_and_ordered_within_one() {
    let Some(fixture) = Fixture::new().await else { return };
    let member = fixture.member(gateway(Duration::from_secs(1))).await;
    let distinct = (0..40).map(|id| order(&id.to_string(), &format!("event-{id}"), &id.to_string()));
    let same = (0..4).map(|amount| {
        order("same", &format!("same-{amount}"), &format!(r#"{{"order_id": "same", "amount": {amount}}}"#))
    });
    let start = Instant::now();
    fixture.order(distinct.chain(same)).await;
    fixture.settled().await;
    let duration = start.elapsed();
    member.stop().await;

    assert!(duration < Duration::from_secs(12), "44 payments of 1 s each took {duration:?}");
    let values = fixture.values().await;
    assert_eq!(values.len(), 41);
    let amounts: Vec<_> = values["same"].iter().map(|value| value["amount"].as_i64().unwrap()).collect();
    assert_eq!(amounts, [0, 1, 2, 3]);
    let times: Vec<Timestamp> =
        values["same"].iter().map(|value| value["processed_at"].as_str().unwrap().parse().unwrap()).collect();
    // Times are truncated to milliseconds.
    let are_apart = |pair: &[Timestamp]| pair[1].as_millisecond() - pair[0].as_millisecond() >= 999;
    assert!(times.windows(2).all(are_apart), "one after the other: {times:?}");
}

/// Notifies that it was called, and never responds.
struct HangingGateway(&'static Notify);

impl Gateway for HangingGateway {
    async fn charge(&self, _charge: &Charge<'_>) -> Result<Settlement, GatewayError> {
        self.0.notify_one();
        std::future::pending().await
    }
}

/// The next member pays the order.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_hanging_gateway() {
    let Some(fixture) = Fixture::new().await else { return };
    let called: &'static Notify = Box::leak(Box::default());
    let member = fixture.member(HangingGateway(called)).await;
    fixture.order([order("101", "event-1", "101")]).await;
    tokio::time::timeout(WAIT_TIMEOUT, called.notified()).await.expect("the gateway is called");
    let start = Instant::now();
    member.stop().await;
    assert!(start.elapsed() < Duration::from_secs(25), "the stop took {:?}", start.elapsed());
    assert!(fixture.payments().await.is_empty());

    let member = fixture.member(gateway(Duration::ZERO)).await;
    fixture.settled().await;
    member.stop().await;
    assert_eq!(fixture.payments().await.len(), 1);
}
