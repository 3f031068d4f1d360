//! What of an order's headers its payment carries on.

use millrace_domain::EventId;
use millrace_domain::envelope::REPLAY_TIMESTAMP;
use millrace_domain::payment::payment_id;
use millrace_domain::traceparent::TraceParent;
use millrace_kafka::Record;
use millrace_kafka::record::replay_timestamp;

/// A payment's id, and the trace that its order is part of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OrderContext {
    pub(crate) payment_id: EventId,
    pub(crate) trace: Option<TraceParent>,
}

impl OrderContext {
    /// Reads an order's headers as [`Record::envelope`] does, and only what is needed of them.
    pub(crate) fn from(order: &Record<'_>) -> Self {
        let (mut id, mut replayed, mut trace) = (None, None, None);
        for (name, value) in order.headers() {
            let text = || value.and_then(|value| str::from_utf8(value).ok());
            match name {
                "ce_id" => id = text().filter(|id| !id.is_empty()).or(id),
                "traceparent" => trace = text().or(trace),
                REPLAY_TIMESTAMP => replayed = value.and_then(replay_timestamp).or(replayed),
                _ => {}
            }
        }
        // In another life of its topic, another order stands at this place.
        let at_place = |place: &str, timestamp: i64| payment_id(&format!("{place}@{timestamp}"));
        let payment_id = match (id, replayed) {
            (Some(id), Some(timestamp)) if id.starts_with(order.topic()) => at_place(id, timestamp),
            (Some(id), _) => payment_id(id),
            (None, _) => {
                let place = EventId::from_position(order.topic(), order.partition(), order.offset());
                at_place(place.as_str(), order.timestamp())
            }
        };
        Self { payment_id, trace: trace.and_then(TraceParent::parse) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rdkafka::Timestamp;
    use rdkafka::message::{Header, OwnedHeaders, OwnedMessage};

    use super::*;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn order(headers: &[(&str, Option<&[u8]>)]) -> Record<'static> {
        let insert = |all: OwnedHeaders, &(key, value): &(&str, Option<&[u8]>)| all.insert(Header { key, value });
        let headers = headers.iter().fold(OwnedHeaders::new(), insert);
        let (value, time) = (b"101".to_vec(), Timestamp::CreateTime(0));
        Record::from(OwnedMessage::new(Some(value), None, "orders".to_owned(), time, 3, 42, Some(headers)))
    }

    #[test]
    fn an_order_without_an_id_is_named_by_its_place_and_time() {
        let carried = OrderContext::from(&order(&[]));
        assert_eq!(carried, OrderContext { payment_id: payment_id("orders-3-42@0"), trace: None });
    }

    #[test]
    fn a_replayed_order_has_the_payment_of_the_position_it_had() {
        let replayed =
            |id: &'static [u8]| OrderContext::from(&order(&[("ce_id", Some(id)), ("replay.timestamp", Some(b"7"))]));
        assert_eq!(replayed(b"orders-1-2").payment_id, payment_id("orders-1-2@7"));
        assert_eq!(replayed(b"a1").payment_id, payment_id("a1"), "not a position");
    }

    const NAMES: &[&str] = &["ce_id", "traceparent", "ce_type"];
    const VALUES: &[Option<&[u8]>] = &[None, Some(b""), Some(b"a"), Some(b"b"), Some(b"\xff"), Some(TRACE.as_bytes())];

    proptest! {
        #[test]
        fn headers_say_what_the_envelope_says(
            headers in prop::collection::vec((prop::sample::select(NAMES), prop::sample::select(VALUES)), 0..6),
        ) {
            let order = order(&headers);
            let (carried, envelope) = (OrderContext::from(&order), order.envelope());
            let is_synthetic_id = order.is_synthetic_id(&envelope.id);
            let name = if is_synthetic_id { "orders-3-42@0" } else { envelope.id.as_str() };
            prop_assert_eq!(carried.payment_id, payment_id(name));
            prop_assert_eq!(carried.trace, envelope.traceparent.as_deref().and_then(TraceParent::parse));
        }
    }
}
