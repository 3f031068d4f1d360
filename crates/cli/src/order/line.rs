//! Parses an input line: an order id, an order as JSON, or `exit`.

use millrace_domain::check_key;
use millrace_domain::payment::Order;
use millrace_json::write_string;

/// A parsed line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// An empty line.
    Blank,
    /// End of input (`exit`).
    End,
    /// An order.
    Order(NewOrder),
    /// Not an order.
    Wrong {
        /// The line's text, or its number.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// An order to be written to Kafka.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NewOrder {
    /// The order's id: the record's key.
    pub(super) id: String,
    /// The record's value.
    pub(super) value: Vec<u8>,
}

/// Parses a line. Text that begins like JSON is an order and sent unchanged. Anything else is an order id, which may
/// hold no invisible character, and no `{` or `[`: that would be JSON with text before it.
pub(super) fn read(line: &str) -> Line {
    let text = line.trim();
    let wrong = |reason: String| Line::Wrong { text: text.to_owned(), reason };
    let value = match text {
        "" => return Line::Blank,
        "exit" => return Line::End,
        json if json.starts_with(['{', '[', '"']) => json.as_bytes().to_vec(),
        id if id.contains(['{', '[']) => {
            return wrong("JSON has to begin its line; an id with { or [ in it is written as JSON".to_owned());
        }
        id => {
            let mut value = b"{\"order_id\":".to_vec();
            write_string(&mut value, id);
            value.push(b'}');
            value
        }
    };
    match Order::read(&value) {
        Ok(order) => match check_key(&order.id) {
            Ok(()) => Line::Order(NewOrder { id: order.id.into_owned(), value }),
            Err(error) => wrong(format!("the order's id {error}")),
        },
        Err(error) => wrong(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(id: &str, value: &str) -> Line {
        Line::Order(NewOrder { id: id.to_owned(), value: value.as_bytes().to_vec() })
    }

    #[test]
    fn an_id_becomes_an_order_and_json_stays_as_it_is() {
        assert_eq!(read(" 101\n"), order("101", r#"{"order_id":"101"}"#));
        assert_eq!(read(r#"A "7""#), order(r#"A "7""#, r#"{"order_id":"A \"7\""}"#));
        assert_eq!(read(r#"{"order_id": 103, "amount": 9.90}"#), order("103", r#"{"order_id": 103, "amount": 9.90}"#));
        assert_eq!(read(r#""104""#), order("104", r#""104""#));
    }

    #[test]
    fn a_line_may_be_blank_or_end_the_input() {
        assert_eq!((read("  \r\n"), read("exit")), (Line::Blank, Line::End));
    }

    #[test]
    fn a_line_that_is_no_order_is_rejected_with_the_reason() {
        for (line, expected) in
            [("{}", "/order_id"), ("[1]", "an array"), (r#"{"order_id": 1.5}"#, "/order_id"), ("{", "JSON")]
        {
            let Line::Wrong { text, reason } = read(line) else { panic!("{line} is taken") };
            assert!(text == line && reason.contains(expected), "{line}: {reason}");
        }
    }

    #[test]
    fn json_after_other_text_is_no_id() {
        for line in [r#"x {"order_id": 1}"#, r#"1{"order_id": 1"#, "x [1]", "\u{feff}{\"order_id\": 203}"] {
            let Line::Wrong { reason, .. } = read(line) else { panic!("{line} is taken") };
            assert!(reason.contains("JSON has to begin its line"), "{line}: {reason}");
        }
    }

    #[test]
    fn an_id_with_an_invisible_character_is_rejected() {
        for (line, expected) in [
            ("10\u{200b}1", "U+200B"),
            ("\u{feff}101", "U+FEFF"),
            ("1\u{1b}[D0", "JSON"),
            ("1\u{8}0", "U+0008"),
            (r#""1\u00000""#, "U+0000"),
            (r#"{"order_id": "1\u200b"}"#, "U+200B"),
        ] {
            let Line::Wrong { reason, .. } = read(line) else { panic!("{line:?} is taken") };
            assert!(reason.contains(expected), "{line:?}: {reason}");
        }
    }
}
