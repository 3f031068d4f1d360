//! The payment id and the trace context, from an order's headers.

use millrace_domain::EventId;
use millrace_domain::envelope::REPLAY_TIMESTAMP;
use millrace_domain::payment::payment_id;
use millrace_domain::traceparent::TraceParent;
use millrace_kafka::Record;
use millrace_kafka::record::replay_timestamp;

/// What a payment takes from its order's headers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OrderContext {
    pub(crate) payment_id: EventId,
    pub(crate) trace: Option<TraceParent>,
}

impl OrderContext {
    /// Reads the headers as [`Record::envelope`] does, and only the needed ones.
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
        // With the timestamp: a recreated topic has another order at the same position.
        let from_position = |position: &str, timestamp: i64| payment_id(&format!("{position}@{timestamp}"));
        let payment_id = match (id, replayed) {
            (Some(id), Some(timestamp)) if id.starts_with(order.topic()) => from_position(id, timestamp),
            (Some(id), _) => payment_id(id),
            (None, _) => {
                let position = EventId::from_position(order.topic(), order.partition(), order.offset());
                from_position(position.as_str(), order.timestamp())
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
    fn an_order_without_an_id_is_named_by_position_and_timestamp() {
        let context = OrderContext::from(&order(&[]));
        assert_eq!(context, OrderContext { payment_id: payment_id("orders-3-42@0"), trace: None });
    }

    #[test]
    fn a_replayed_order_keeps_the_payment_id_of_its_position() {
        let replayed =
            |id: &'static [u8]| OrderContext::from(&order(&[("ce_id", Some(id)), ("replay.timestamp", Some(b"7"))]));
        assert_eq!(replayed(b"orders-1-2").payment_id, payment_id("orders-1-2@7"));
        assert_eq!(replayed(b"a1").payment_id, payment_id("a1"), "not a position");
    }

    const NAMES: &[&str] = &["ce_id", "traceparent", "ce_type"];
    const VALUES: &[Option<&[u8]>] = &[None, Some(b""), Some(b"a"), Some(b"b"), Some(b"\xff"), Some(TRACE.as_bytes())];

    proptest! {
        #[test]
        fn the_context_agrees_with_the_envelope(
            headers in prop::collection::vec((prop::sample::select(NAMES), prop::sample::select(VALUES)), 0..6),
        ) {
            let order = order(&headers);
            let (context, envelope) = (OrderContext::from(&order), order.envelope());
            let is_synthetic_id = order.is_synthetic_id(&envelope.id);
            let name = if is_synthetic_id { "orders-3-42@0" } else { envelope.id.as_str() };
            prop_assert_eq!(context.payment_id, payment_id(name));
            prop_assert_eq!(context.trace, envelope.traceparent.as_deref().and_then(TraceParent::parse));
        }
    }
}
