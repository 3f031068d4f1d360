//! Events of a shop's pages: views, searches, carts.

use jiff::Timestamp;
use rand::RngExt as _;
use serde::Serialize;

use super::Draw;

// From the most to the least frequent; each is about half as frequent as the one before.
const TYPES: [&str; 5] =
    ["shop.page.viewed", "shop.search.performed", "shop.cart.updated", "shop.checkout.started", "shop.review.written"];

#[derive(Debug, Serialize)]
pub(in super::super) struct Event {
    #[serde(rename = "event_id")]
    id: String,
    r#type: &'static str,
    user_id: String,
    session: String,
    page: String,
    device_type: &'static str,
    locale: &'static str,
    timestamp: Timestamp,
}

impl Event {
    pub(super) fn draw(draw: &mut Draw<'_>) -> Self {
        let halvings = draw.random.random::<u32>().trailing_zeros() as usize;
        Self {
            id: format!("{:x}-{}", draw.seed, draw.number),
            r#type: TYPES[halvings.min(TYPES.len() - 1)],
            user_id: draw.population.user(&mut draw.random),
            session: format!("{:016x}", draw.random.random::<u64>()),
            page: format!("/products/{}", draw.random.random_range(1..5_000)),
            device_type: draw.population.device(&mut draw.random),
            locale: draw.population.locale(&mut draw.random),
            timestamp: draw.time(),
        }
    }

    pub(super) fn event_type(&self) -> &'static str {
        self.r#type
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::load::kind::Kind;
    use crate::load::sample::{Samples, noon};

    #[test]
    fn events_have_distinct_ids_and_several_types() {
        let samples = Samples::new(Kind::Event, 3, noon);
        let (mut ids, mut types) = (HashSet::new(), HashSet::new());
        for number in 0..1_000 {
            let sample = samples.event(number);
            let json = serde_json::to_value(&sample).expect("a sample is JSON");
            assert_eq!(json["type"], sample.event_type());
            assert!(ids.insert(json["event_id"].to_string()));
            types.insert(json["type"].to_string());
        }
        assert_eq!(types.len(), 5);
    }
}
