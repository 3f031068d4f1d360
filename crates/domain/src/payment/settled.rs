//! A payment's value and envelope.

use jiff::Timestamp;

use super::order::Order;
use super::{EVENT_TYPE, SOURCE};
use crate::envelope::Envelope;
use crate::id::EventId;
use crate::traceparent::TraceParent;
use millrace_json::write_string;

/// The result of a charge. A decline is a result, not a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The amount was charged.
    Paid,
    /// The charge was declined for good.
    Declined {
        /// The reason, for the customer to read.
        reason: String,
    },
}

impl Settlement {
    /// The text of the value's `status`.
    pub const fn status(&self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Declined { .. } => "declined",
        }
    }
}

/// A settled payment of an order record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    order_id: String,
    /// JSON, as sent.
    amount: Option<Box<str>>,
    user_id: Option<Box<str>>,
    settlement: Settlement,
    envelope: Envelope<'static>,
}

/// Size of a value without the order's fields: initial capacity of the buffer.
const BASE_SIZE: usize = 192;

impl Payment {
    /// The payment `id` of an order, settled at the time `at`.
    pub fn settled(
        id: EventId,
        order: Order<'_>,
        settlement: Settlement,
        at: Timestamp,
        traceparent: TraceParent,
    ) -> Self {
        let envelope = Envelope {
            id,
            event_type: EVENT_TYPE.into(),
            source: SOURCE.into(),
            time: format!("{at:.3}").into(),
            content_type: "application/json".into(),
            traceparent: Some(traceparent.to_string()),
            attributes: Vec::new(),
        };
        let amount = order.amount.map(|amount| amount.raw().into());
        let user_id = order.user_id.map(Into::into);
        Self { order_id: order.id.into_owned(), amount, user_id, settlement, envelope }
    }

    /// The partition key: the order's id.
    pub fn key(&self) -> &str {
        &self.order_id
    }

    /// The CloudEvents attributes.
    pub fn envelope(&self) -> &Envelope<'static> {
        &self.envelope
    }

    /// The value, one JSON object. `processed_at` is the event's time; `amount` and `user_id` are the order's, the
    /// latter as text; `reason` is that of a declined payment.
    pub fn value(&self) -> Vec<u8> {
        let (amount, user_id) = (self.amount.as_deref(), self.user_id.as_deref());
        let order_size = self.order_id.len() + amount.map_or(0, str::len) + user_id.map_or(0, str::len);
        let mut out = Vec::with_capacity(BASE_SIZE + order_size);
        out.extend_from_slice(b"{\"order_id\":");
        write_string(&mut out, &self.order_id);
        out.extend_from_slice(b",\"status\":");
        write_string(&mut out, self.settlement.status());
        out.extend_from_slice(b",\"payment_id\":");
        write_string(&mut out, self.envelope.id.as_str());
        out.extend_from_slice(b",\"processed_at\":");
        write_string(&mut out, &self.envelope.time);
        if let Some(amount) = amount {
            out.extend_from_slice(b",\"amount\":");
            out.extend_from_slice(amount.as_bytes());
        }
        if let Some(user_id) = user_id {
            out.extend_from_slice(b",\"user_id\":");
            write_string(&mut out, user_id);
        }
        if let Settlement::Declined { reason } = &self.settlement {
            out.extend_from_slice(b",\"reason\":");
            write_string(&mut out, reason);
        }
        out.push(b'}');
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;
    use serde_json::{Value, json};

    use super::*;
    use crate::payment::payment_id;

    const TIME: &str = "2026-01-31T12:00:00.250Z";

    fn payment(order: &str, settlement: Settlement) -> Payment {
        let order = Order::read(order.as_bytes()).unwrap();
        let trace = TraceParent::next_hop(None, &mut SmallRng::seed_from_u64(1));
        Payment::settled(payment_id("event-1"), order, settlement, TIME.parse().unwrap(), trace)
    }

    #[test]
    fn a_payments_value_is_as_in_the_contract() {
        let payment = payment(r#"{"order_id": 101, "user_id": 7, "amount": 12.50}"#, Settlement::Paid);
        let id = payment_id("event-1");
        let expected = format!(
            r#"{{"order_id":"101","status":"paid","payment_id":"{id}","processed_at":"{TIME}","amount":12.50,"user_id":"7"}}"#
        );
        assert_eq!(String::from_utf8(payment.value()).unwrap(), expected);
        assert_eq!(payment.key(), "101");
    }

    #[test]
    fn a_declined_payment_has_a_reason() {
        let reason = "not a \"good\" day".to_owned();
        let payment = payment(r#""A\n7""#, Settlement::Declined { reason });
        let value: Value = serde_json::from_slice(&payment.value()).unwrap();
        let expected = json!({
            "order_id": "A\n7", "status": "declined", "payment_id": payment_id("event-1").as_str(),
            "processed_at": TIME, "reason": "not a \"good\" day",
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn the_event_has_the_payments_id_and_time() {
        let payment = payment("101", Settlement::Paid);
        let headers: Vec<_> =
            payment.envelope().headers().map(|(name, value)| (name, str::from_utf8(value).unwrap())).collect();
        let id = payment_id("event-1");
        let expected = [
            ("ce_id", id.as_str()),
            ("ce_type", "millrace.payment.settled"),
            ("ce_source", "/millrace/payments"),
            ("ce_time", TIME),
            ("ce_specversion", "1.0"),
            ("content-type", "application/json"),
        ];
        assert_eq!(headers[..6], expected);
        assert!(headers[6].0 == "traceparent" && TraceParent::parse(headers[6].1).is_some());
    }

    proptest! {
        #[test]
        fn any_order_id_and_amount_round_trip(
            id in "\\PC{1,40}|[\u{0}-\u{1f}\"\\\\]{1,9}", amount in "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?", reason: String,
        ) {
            let order = format!(r#"{{"order_id":{},"amount":{amount}}}"#, json!(id));
            let payment = payment(&order, Settlement::Declined { reason: reason.clone() });
            let text = String::from_utf8(payment.value()).unwrap();
            let value: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&value["order_id"], &json!(id));
            prop_assert_eq!(&value["reason"], &json!(reason));
            let amount = format!(r#","amount":{amount},"#);
            prop_assert!(text.contains(&amount), "{}", text);
            // Its id and amount are no longer than in the order.
            prop_assert!(text.len() - json!(reason).to_string().len() <= BASE_SIZE + order.len());
        }
    }
}
