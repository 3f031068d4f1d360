//! A typed line: an order's id, an order as JSON, or the wish to end.

use millrace_domain::check_key;
use millrace_domain::json::write_string;
use millrace_domain::payment::Order;

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Nothing.
    Blank,
    /// No more orders.
    End,
    /// An order.
    Order(NewOrder),
    /// Something else.
    Wrong {
        /// As it was typed, or which line it was.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// An order as it goes to Kafka.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NewOrder {
    /// The order's id: the record's key.
    pub(super) id: String,
    /// The record's value.
    pub(super) value: Vec<u8>,
}

/// Reads a line. What begins like JSON is an order as JSON and sent as it is; anything else is an order's id, if every
/// character of it can be seen and none begins JSON: that would be an order with something in front of it.
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
    fn a_line_may_say_nothing_or_that_it_was_the_last() {
        assert_eq!((read("  \r\n"), read("exit")), (Line::Blank, Line::End));
    }

    #[test]
    fn what_is_no_order_is_told_with_the_reason() {
        for (line, told) in
            [("{}", "/order_id"), ("[1]", "an array"), (r#"{"order_id": 1.5}"#, "/order_id"), ("{", "JSON")]
        {
            let Line::Wrong { text, reason } = read(line) else { panic!("{line} is taken") };
            assert!(text == line && reason.contains(told), "{line}: {reason}");
        }
    }

    #[test]
    fn json_behind_something_is_no_id() {
        for line in [r#"x {"order_id": 1}"#, r#"1{"order_id": 1"#, "x [1]", "\u{feff}{\"order_id\": 203}"] {
            let Line::Wrong { reason, .. } = read(line) else { panic!("{line} is taken") };
            assert!(reason.contains("JSON has to begin its line"), "{line}: {reason}");
        }
    }

    #[test]
    fn an_id_with_a_character_that_nobody_sees_is_refused() {
        for (line, told) in [
            ("10\u{200b}1", "U+200B"),
            ("\u{feff}101", "U+FEFF"),
            ("1\u{1b}[D0", "JSON"),
            ("1\u{8}0", "U+0008"),
            (r#""1\u00000""#, "U+0000"),
            (r#"{"order_id": "1\u200b"}"#, "U+200B"),
        ] {
            let Line::Wrong { reason, .. } = read(line) else { panic!("{line:?} is taken") };
            assert!(reason.contains(told), "{line:?}: {reason}");
        }
    }
}
