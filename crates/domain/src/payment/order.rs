//! The order in a record's value.
//!
//! The edge writes an object. Older producers write the order's id alone, as a JSON string or integer.

use std::borrow::Cow;

use thiserror::Error;

use super::amount::Amount;
use crate::event::{ORDER, key_text};
use crate::field::ValidationErrors;
use millrace_json::{Document, Error as JsonError, Kind};

/// Longest id and amount of an order, in bytes of JSON: the edge's limit of a value.
///
/// A payment repeats them, the id twice. With this limit it fits into its topic, whatever `max.message.bytes` of the
/// order's topic is.
pub const FIELD_LIMIT: usize = 262_144;

/// Longest user id that a payment repeats, in bytes of JSON.
const USER_ID_LIMIT: usize = 1_024;

/// The fields of an order that its payment needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Order<'a> {
    /// `order_id`: text, or an integer digit for digit.
    pub id: Cow<'a, str>,
    /// `amount`, if any.
    pub amount: Option<Amount<'a>>,
    /// `user_id`, where it is a valid key of at most 1,024 bytes.
    pub user_id: Option<Cow<'a, str>>,
}

/// Why a value is not a payable order.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OrderError {
    /// Not JSON.
    #[error("not JSON: {0}")]
    NotJson(#[from] JsonError),
    /// An object, but not of an order.
    #[error("not an order: {0}")]
    Fields(#[from] ValidationErrors),
    /// Neither an object nor an order's id.
    #[error("not an order: the value must be an object, or an order's id as a string or an integer, not {0}")]
    Form(&'static str),
    /// A field is too long to be repeated in a payment.
    #[error("the order's {field} has {bytes} bytes, the limit is {FIELD_LIMIT}")]
    TooLong {
        /// The field.
        field: &'static str,
        /// Its length as JSON.
        bytes: usize,
    },
}

impl<'a> Order<'a> {
    /// Reads the value of a record.
    ///
    /// An object is checked by the edge's rules. `"101"`, `101` and `{"order_id": 101}` are the same order.
    ///
    /// # Errors
    /// [`OrderError`] where the value is not an order: permanent.
    pub fn read(value: &'a [u8]) -> Result<Self, OrderError> {
        let document = Document::parse(value)?;
        let (id, amount, user) = match document.kind() {
            Kind::Object => {
                (ORDER.check)(&document)?;
                let field = |name| document.get(name).copied();
                (field("order_id"), field("amount"), field("user_id"))
            }
            _ => (Some(document.root()), None, None),
        };
        let (id, raw_id) = id.and_then(|id| Some((key_text(&id)?, id.raw()))).ok_or_else(|| form(&document))?;
        let amount = amount.as_ref().and_then(Amount::read);
        check_length("id", raw_id)?;
        check_length("amount", amount.as_ref().map_or("", Amount::raw))?;
        let user = user.filter(|user| user.raw().len() <= USER_ID_LIMIT);
        Ok(Self { id, amount, user_id: user.as_ref().and_then(key_text) })
    }
}

fn form(document: &Document<'_>) -> OrderError {
    OrderError::Form(match document.kind() {
        Kind::Null => "null",
        Kind::Bool => "a boolean",
        Kind::Integer => "an integer",
        Kind::Float => "a number with a fraction or exponent",
        Kind::String => "an empty string",
        Kind::Array => "an array",
        Kind::Object => "an object without order_id",
    })
}

fn check_length(field: &'static str, raw: &str) -> Result<(), OrderError> {
    if raw.len() > FIELD_LIMIT {
        return Err(OrderError::TooLong { field, bytes: raw.len() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::PartitionKey;

    fn read(json: &str) -> (String, Option<String>) {
        let order = Order::read(json.as_bytes()).unwrap_or_else(|error| panic!("{json}: {error}"));
        (order.id.into_owned(), order.amount.map(|amount| amount.raw().to_owned()))
    }

    #[test]
    fn all_producers_forms_of_an_order_are_read() {
        for (json, id, amount) in [
            (r#""101""#, "101", None),
            ("101", "101", None),
            (" 101\n", "101", None),
            (r#"{"order_id": "101"}"#, "101", None),
            (r#"{"order_id": 103}"#, "103", None),
            (r#"{"order_id": "A-7/\u00fc", "note": [1, {"order_id": 2}]}"#, "A-7/ü", None),
            (r#"{"amount": 12.50, "order_id": "101"}"#, "101", Some("12.50")),
            (r#"{"order_id": "101", "amount": "0012.50"}"#, "101", Some(r#""0012.50""#)),
            (r#"{"order_id": "101", "amount": null}"#, "101", None),
            ("123456789012345678901234567890", "123456789012345678901234567890", None),
            (r#"{"order_id": -9007199254740993}"#, "-9007199254740993", None),
            (r#"" ""#, " ", None),
        ] {
            assert_eq!(read(json), (id.to_owned(), amount.map(str::to_owned)), "{json}");
        }
    }

    #[test]
    fn a_user_id_is_read_where_it_is_a_valid_key() {
        let user = |user: &str| {
            let json = format!(r#"{{"order_id": 1, "user_id": {user}}}"#);
            Order::read(json.as_bytes()).unwrap().user_id.map(Cow::into_owned)
        };
        assert_eq!(user(r#""12345""#), Some("12345".to_owned()));
        assert_eq!(user("12345"), Some("12345".to_owned()));
        let longest = "u".repeat(USER_ID_LIMIT - 2);
        assert_eq!(user(&format!("\"{longest}\"")), Some(longest.clone()));
        for none in ["null", "1.5", r#""""#, "{}", "true", &format!("\"u{longest}\"")] {
            assert_eq!(user(none), None, "{none}");
        }
    }

    #[test]
    fn an_invalid_order_is_refused_with_the_reason() {
        let not_an_order = |what: &str| {
            format!("not an order: the value must be an object, or an order's id as a string or an integer, not {what}")
        };
        for (value, reason) in [
            ("101.0", not_an_order("a number with a fraction or exponent")),
            ("1e2", not_an_order("a number with a fraction or exponent")),
            ("null", not_an_order("null")),
            ("true", not_an_order("a boolean")),
            (r#"["101"]"#, not_an_order("an array")),
            (r#""""#, not_an_order("an empty string")),
            ("{}", "not an order: /order_id is required: a non-empty string or an integer".to_owned()),
            (r#"{"order_id": ""}"#, "not an order: /order_id must not be empty".to_owned()),
            (
                r#"{"order_id": 1.5, "amount": "ten"}"#,
                "not an order: /order_id must be a non-empty string or an integer, not a number with a fraction or \
                 exponent; /amount must be a number or decimal text, not other text"
                    .to_owned(),
            ),
            ("ORD-7", "not JSON: unexpected character 'O', expected a value at line 1 column 1".to_owned()),
            ("007", "not JSON: number with a leading zero at line 1 column 1".to_owned()),
            ("\u{feff}101", "not JSON: byte order mark before the JSON text".to_owned()),
            ("  ", "not JSON: empty text where a JSON value was expected".to_owned()),
        ] {
            assert_eq!(Order::read(value.as_bytes()).map_err(|error| error.to_string()), Err(reason), "{value}");
        }
        let error = Order::read(b"\"\xff\"").unwrap_err();
        assert_eq!(error.to_string(), "not JSON: invalid UTF-8 at byte 1");
    }

    #[test]
    fn too_long_fields_are_refused() {
        let longest = "7".repeat(FIELD_LIMIT - 2);
        assert_eq!(read(&format!("\"{longest}\"")).0, longest);
        let error = |json: String| Order::read(json.as_bytes()).unwrap_err().to_string();
        assert_eq!(error(format!("\"7{longest}\"")), "the order's id has 262145 bytes, the limit is 262144");
        let long_amount = format!(r#"{{"order_id": 1, "amount": 0.{longest}7}}"#);
        assert_eq!(error(long_amount), "the order's amount has 262145 bytes, the limit is 262144");
    }

    prop_compose! {
        fn object()(
            id in prop_oneof![
                Just("null".to_owned()), "-?[1-9][0-9]{0,40}", "[0-9]{1,3}\\.[0-9]{1,3}",
                "\\PC{0,20}".prop_map(|text| serde_json::Value::from(text).to_string()),
            ],
            amount in prop_oneof![Just("true"), Just("null"), Just("12.50"), Just("\"1\""), Just("\"x\""), Just("[]")],
            has in any::<[bool; 2]>(),
        ) -> String {
            let members = [has[0].then(|| format!("\"order_id\":{id}")), has[1].then(|| format!("\"amount\":{amount}"))];
            format!("{{{}}}", members.into_iter().flatten().collect::<Vec<_>>().join(","))
        }
    }

    proptest! {
        /// And its id is the record's partition key.
        #[test]
        fn an_object_is_an_order_exactly_where_the_edge_accepts_it(object in object()) {
            let document = Document::parse(object.as_bytes());
            let checked = document.map_err(|error| error.to_string()).and_then(|document| {
                (ORDER.check)(&document).map_err(|errors| errors.to_string())
            });
            let order = Order::read(object.as_bytes());
            prop_assert_eq!(checked.ok(), order.ok().map(|order| PartitionKey::from(order.id)), "{}", object);
        }

        #[test]
        fn the_ways_to_write_an_id_name_the_same_order(number: i128) {
            let forms = [format!("{number}"), format!("\"{number}\""), format!("{{\"order_id\":{number}}}"),
                format!("{{\"order_id\": \"{number}\"}}")];
            for form in forms {
                prop_assert_eq!(read(&form), (number.to_string(), None));
            }
        }

        #[test]
        fn an_order_always_has_an_id(value in prop_oneof![prop::collection::vec(any::<u8>(), 0..12), "[\\{\\}\":a10. \\[\\]]{0,12}".prop_map(String::into_bytes)]) {
            if let Ok(order) = Order::read(&value) {
                prop_assert!(!order.id.is_empty());
            }
        }
    }
}
