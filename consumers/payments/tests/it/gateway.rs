//! Gateways that are away, and gateways that refuse.

use std::collections::HashMap;
use std::sync::Mutex;

use millrace_domain::payment::{Settlement, payment_id};
use millrace_payments::gateway::{Charge, Gateway, GatewayError};

use crate::fixture::{Fixture, order};

/// Is away for the first calls about each order, for all of those about `down`, and refuses `forged`.
#[derive(Default)]
struct Moody {
    calls: Mutex<HashMap<String, u32>>,
}

impl Gateway for &Moody {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_is_tried_again_under_the_same_id_and_dead_lettered_where_that_does_not_help() {
    let Some(fixture) = Fixture::set().await else { return };
    let moody: &'static Moody = Box::leak(Box::default());
    fixture.order(["101", "down", "forged", "102"].map(|id| order("key", id, &format!("\"{id}\"")))).await;
    let member = fixture.member(moody).await;
    fixture.settled().await;
    member.stop().await;

    assert_eq!(fixture.values().await.keys().collect::<Vec<_>>(), ["101", "102"]);
    let calls = |id: &str| moody.calls.lock().unwrap()[&format!("{id} {}", payment_id(id))];
    assert_eq!(["101", "102", "down", "forged"].map(calls), [3, 3, 5, 1]);

    let letters = fixture.letters().await;
    let found: Vec<_> = letters
        .iter()
        .map(|letter| {
            let header = |name| letter.header(name).unwrap();
            (
                letter.value_text().unwrap(),
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
