//! `millrace.order.placed`: an order to be paid.

use super::check::{describe, object, required_key};
use super::{EventType, PartitionKey};
use crate::field::ValidationErrors;
use millrace_json::{Document, Kind};

pub(super) const EVENT_TYPE: EventType = EventType {
    name: "millrace.order.placed",
    family: "millrace.order.",
    topic: "orders",
    key_fields: &["order_id"],
    check,
};

fn check<'a>(document: &Document<'a>) -> Result<PartitionKey<'a>, ValidationErrors> {
    object(document)?;
    let mut errors = ValidationErrors::default();
    let order = required_key(document, "order_id", &mut errors);
    check_amount(document, &mut errors);
    errors.or(order.map_or(PartitionKey::EventId, PartitionKey::from))
}

/// Checks the amount: a number, or a decimal string, which keeps all digits.
fn check_amount(document: &Document<'_>, errors: &mut ValidationErrors) {
    let Some(amount) = document.get("amount") else { return };
    let number = match amount.kind() {
        Kind::Null | Kind::Integer | Kind::Float => true,
        Kind::String => amount.as_str().is_some_and(|text| text.parse::<f64>().is_ok_and(f64::is_finite)),
        _ => false,
    };
    if !number {
        let not = match amount.kind() {
            Kind::String => "other text",
            kind => describe(kind),
        };
        errors.push("/amount", format!("must be a number or decimal text, not {not}"));
    }
}
