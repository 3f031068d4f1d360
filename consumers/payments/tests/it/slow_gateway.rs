//! A slow gateway: orders do not wait for each other, but for those of their own id, and a stop does not wait for ever.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use millrace_domain::payment::{DeclineRules, Settlement};
use millrace_payments::gateway::{Charge, Gateway, GatewayError, SimulatedGateway};
use tokio::sync::Notify;

use crate::fixture::{BOUND, Fixture, order};

fn gateway(delay: Duration) -> SimulatedGateway {
    SimulatedGateway { delay, rules: DeclineRules { above: 100.0 } }
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_orders_of_a_second_each_are_paid_within_seconds_and_those_of_one_id_in_their_order() {
    let Some(fixture) = Fixture::set().await else { return };
    let member = fixture.member(gateway(Duration::from_secs(1))).await;
    let different = (0..40).map(|id| order(&id.to_string(), &format!("event-{id}"), &id.to_string()));
    let same = (0..4).map(|amount| {
        order("same", &format!("same-{amount}"), &format!(r#"{{"order_id": "same", "amount": {amount}}}"#))
    });
    let began = Instant::now();
    fixture.order(different.chain(same)).await;
    fixture.settled().await;
    let took = began.elapsed();
    member.stop().await;

    assert!(took < Duration::from_secs(12), "44 payments of 1 s each took {took:?}");
    let values = fixture.values().await;
    assert_eq!(values.len(), 41);
    let amounts: Vec<_> = values["same"].iter().map(|value| value["amount"].as_i64().unwrap()).collect();
    assert_eq!(amounts, [0, 1, 2, 3]);
    let times: Vec<Timestamp> =
        values["same"].iter().map(|value| value["processed_at"].as_str().unwrap().parse().unwrap()).collect();
    // Times are cut to milliseconds.
    let apart = |pair: &[Timestamp]| pair[1].as_millisecond() - pair[0].as_millisecond() >= 999;
    assert!(times.windows(2).all(apart), "one after the other: {times:?}");
}

/// Says that it was called, and never answers.
struct Hanging(&'static Notify);

impl Gateway for Hanging {
    async fn charge(&self, _charge: &Charge<'_>) -> Result<Settlement, GatewayError> {
        self.0.notify_one();
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_gives_up_on_a_gateway_that_hangs_and_the_next_member_pays() {
    let Some(fixture) = Fixture::set().await else { return };
    let called: &'static Notify = Box::leak(Box::default());
    let member = fixture.member(Hanging(called)).await;
    fixture.order([order("101", "event-1", "101")]).await;
    tokio::time::timeout(BOUND, called.notified()).await.expect("the gateway is called");
    let began = Instant::now();
    member.stop().await;
    assert!(began.elapsed() < Duration::from_secs(25), "the stop took {:?}", began.elapsed());
    assert!(fixture.payments().await.is_empty());

    let member = fixture.member(gateway(Duration::ZERO)).await;
    fixture.settled().await;
    member.stop().await;
    assert_eq!(fixture.payments().await.len(), 1);
}
