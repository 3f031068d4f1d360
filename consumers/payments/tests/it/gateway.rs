//! Gateways that are unavailable, and gateways that refuse.

use std::collections::HashMap;
use std::sync::Mutex;

use millrace_domain::payment::{Settlement, payment_id};
use millrace_payments::gateway::{Charge, Gateway, GatewayError};

use crate::fixture::{Fixture, order};

/// Unavailable for the first two calls of each order and for all calls of `down`; refuses `forged`.
#[derive(Default)]
struct FlakyGateway {
    calls: Mutex<HashMap<String, u32>>,
}

impl Gateway for &FlakyGateway {
    async fn charge(&self, charge: &Charge<'_>) -> Result<Settlement, GatewayError> {
        let mut calls = self.calls.lock().unwrap();
        let call = calls.entry(format!("{} {}", charge.order_id, charge.payment_id)).or_default();
        *call += 1;
        match charge.order_id {
            "forged" => Err(GatewayError::Refused { reason: "no such card".to_owned() }),
            "down" => Err(GatewayError::Unavailable { reason: "status 503".to_owned(), retry_after: None }),
            _ if *call < 3 => Err(GatewayError::Unavailable { reason: "status 503".to_owned(), retry_after: None }),
            _ => Ok(Settlement::Paid),
        }
    }
}

/// After the last attempt, or a refusal, the order is dead-lettered.
#[tokio::test(flavor = "multi_thread")]
async fn a_charge_is_retried_under_the_same_payment_id() {
    let Some(fixture) = Fixture::new().await else { return };
    let gateway: &'static FlakyGateway = Box::leak(Box::default());
    fixture.order(["101", "down", "forged", "102"].map(|id| order("key", id, &format!("\"{id}\"")))).await;
    let member = fixture.member(gateway).await;
    fixture.settled().await;
    member.stop().await;

    assert_eq!(fixture.values().await.keys().collect::<Vec<_>>(), ["101", "102"]);
    let calls = |id: &str| gateway.calls.lock().unwrap()[&format!("{id} {}", payment_id(id))];
    assert_eq!(["101", "102", "down", "forged"].map(calls), [3, 3, 5, 1]);

    let dead_letters = fixture.dead_letters().await;
    let found: Vec<_> = dead_letters
        .iter()
        .map(|dead_letter| {
            let header = |name| dead_letter.header(name).unwrap();
            (
                dead_letter.value_text().unwrap(),
                header("dlq.error.class"),
                header("dlq.attempts"),
                header("dlq.error.reason"),
            )
        })
        .collect();
    let expected = [
        ("\"down\"", "transient", "5", "the payment gateway is unavailable: status 503"),
        ("\"forged\"", "permanent", "1", "the payment gateway refuses the charge: no such card"),
    ];
    assert_eq!(found, expected);
}
