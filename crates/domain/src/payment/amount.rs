//! Amounts of money, in the sender's own digits.

use millrace_json::{Kind, Value};

/// An amount: a number, or a decimal string. A payment repeats the sender's own digits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Amount<'a> {
    raw: &'a str,
    value: f64,
}

impl<'a> Amount<'a> {
    /// Reads a JSON value; `None` where it is not an amount, such as null.
    pub fn read(value: &Value<'a>) -> Option<Self> {
        let number: f64 = match value.kind() {
            Kind::Integer | Kind::Float => value.raw().parse().ok()?,
            Kind::String => value.as_str()?.parse().ok()?,
            _ => return None,
        };
        number.is_finite().then_some(Self { raw: value.raw(), value: number })
    }

    /// The JSON as sent: a number, or a string with its quotes.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// The nearest double: for comparison, not for arithmetic.
    pub fn to_f64(&self) -> f64 {
        self.value
    }
}

#[cfg(test)]
mod tests {
    use millrace_json::Document;

    use super::*;

    #[test]
    fn an_amount_keeps_its_digits() {
        for (json, number) in [
            ("12", 12.0),
            ("12.50", 12.5),
            ("-0.10", -0.1),
            ("1e3", 1000.0),
            (r#""12.50""#, 12.5),
            (r#""\u0031""#, 1.0),
            ("12345678901234567890.123456789012345678901", 12_345_678_901_234_567_000.0),
        ] {
            let document = Document::parse(json.as_bytes()).unwrap();
            let amount = Amount::read(&document.root()).unwrap();
            assert_eq!(amount.raw(), json);
            assert!((amount.to_f64() - number).abs() < f64::EPSILON, "{json}");
        }
    }

    #[test]
    fn nothing_else_is_an_amount() {
        for json in ["null", "true", "[]", "{}", r#""""#, r#""ten""#, r#""inf""#, r#""NaN""#, r#""1e999""#] {
            let document = Document::parse(json.as_bytes()).unwrap();
            assert_eq!(Amount::read(&document.root()), None, "{json}");
        }
    }
}
