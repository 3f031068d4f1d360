//! Orders with increasing ids.

use rand::RngExt as _;
use serde::Serialize;

use super::Draw;

const CURRENCIES: [&str; 4] = ["USD", "EUR", "GBP", "SEK"];

/// Number of seeds with distinct order ids. Times [`ORDERS_A_SEED`] it stays below 2^53, so that readers that parse an
/// id as a double lose no digit.
pub(super) const SEEDS: u64 = 9_000_000;

const ORDERS_A_SEED: u64 = 1_000_000_000;

#[derive(Debug, Serialize)]
pub(in super::super) struct Order {
    #[serde(rename = "order_id")]
    id: String,
    amount: f64,
    currency: &'static str,
    customer_id: String,
}

impl Order {
    pub(super) fn draw(draw: &mut Draw<'_>) -> Self {
        // Most orders are small, few are large: the product of two uniform draws.
        let cents = draw.random.random_range(10_u32..400) * draw.random.random_range(10_u32..400);
        Self {
            id: ((draw.seed % SEEDS) * ORDERS_A_SEED + draw.number + 1).to_string(),
            amount: f64::from(cents) / 100.0,
            currency: CURRENCIES[draw.random.random_range(0..CURRENCIES.len())],
            customer_id: draw.population.user(&mut draw.random),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::load::kind::Kind;
    use crate::load::sample::{Samples, noon};

    fn order_id(samples: &Samples, number: u64) -> u64 {
        let order = serde_json::to_value(samples.event(number)).expect("a sample is JSON");
        let id = order["order_id"].as_str().expect("an order id is text");
        id.parse().expect("an order id is a number")
    }

    #[test]
    fn order_ids_increase_and_differ_between_seeds() {
        let (one, two) = (Samples::new(Kind::Order, 1, noon), Samples::new(Kind::Order, 2, noon));
        for number in 0..1_000 {
            assert!(order_id(&one, number) < order_id(&one, number + 1));
        }
        assert!(order_id(&one, 999_999_999) < order_id(&two, 0));
    }

    #[test]
    fn amounts_are_positive_and_have_whole_cents() {
        let samples = Samples::new(Kind::Order, 5, noon);
        for number in 0..500 {
            let order = serde_json::to_value(samples.event(number)).expect("a sample is JSON");
            let amount = order["amount"].as_f64().expect("an amount is a number");
            assert!(amount > 0.0);
            let decimals = order["amount"].to_string();
            let cents = decimals.split_once('.').map_or(0, |(_, cents)| cents.len());
            assert!(cents <= 2, "{decimals}");
        }
    }
}
