//! The rules by which a payment is declined.

use super::amount::Amount;
use super::settled::Settlement;

/// Declines payments by their amount.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeclineRules {
    /// The largest amount that is paid.
    pub above: f64,
}

impl DeclineRules {
    /// Paid, unless the amount is negative or above the limit. An order without an amount is paid.
    pub fn settle(&self, amount: Option<Amount<'_>>) -> Settlement {
        match amount.map(|amount| amount.to_f64()) {
            Some(amount) if amount < 0.0 => Settlement::Declined { reason: "the amount is negative".to_owned() },
            Some(amount) if amount > self.above => {
                Settlement::Declined { reason: format!("the amount is above {}", self.above) }
            }
            _ => Settlement::Paid,
        }
    }
}

#[cfg(test)]
mod tests {
    use millrace_json::Document;

    use super::*;

    fn settle(json: &str) -> Settlement {
        let document = Document::parse(json.as_bytes()).unwrap();
        DeclineRules { above: 99.5 }.settle(Amount::read(&document.root()))
    }

    #[test]
    fn negative_and_too_large_amounts_are_declined() {
        for paid in ["0", "-0", "99.5", r#""99.50""#, "null"] {
            assert_eq!(settle(paid), Settlement::Paid, "{paid}");
        }
        for (declined, reason) in [
            ("99.51", "the amount is above 99.5"),
            (r#""1e9""#, "the amount is above 99.5"),
            ("-0.01", "the amount is negative"),
        ] {
            assert_eq!(settle(declined), Settlement::Declined { reason: reason.to_owned() }, "{declined}");
        }
    }
}
