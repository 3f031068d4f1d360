//! Values of a valid document.

use std::borrow::Cow;

use crate::{Document, Kind, Value, escape, write_string};

fn root(text: &str) -> Value<'_> {
    Document::parse(text.as_bytes()).unwrap().root()
}

#[test]
fn members_come_in_order_with_their_raw_text() {
    let text = r#" { "b" : [ 1 , {"x": 2} ] , "a": "q\"uote" ,"n":  12345678901234567890 } "#;
    let document = Document::parse(text.as_bytes()).unwrap();
    let expected = [("b", r#"[ 1 , {"x": 2} ]"#), ("a", r#""q\"uote""#), ("n", "12345678901234567890")];

    let members: Vec<_> = document.members().map(|(name, value)| (name.as_ref(), value.raw())).collect();
    assert_eq!(members, expected);
    let walked: Vec<_> = document.root().members().map(|(name, value)| (name.into_owned(), value.raw())).collect();
    assert_eq!(walked, expected.map(|(name, raw)| (name.to_owned(), raw)));
    assert_eq!(document.elements().count(), 0);
}

#[test]
fn elements_come_in_order_with_their_raw_text() {
    let text = "[1 , -0 ,2.50,\"a,]\" ,[ ] , {\"a\":[1]},null ,true,false]";
    let document = Document::parse(text.as_bytes()).unwrap();
    let expected = ["1", "-0", "2.50", "\"a,]\"", "[ ]", "{\"a\":[1]}", "null", "true", "false"];

    assert_eq!(document.elements().map(|value| value.raw()).collect::<Vec<_>>(), expected);
    assert_eq!(document.members().len(), 0);
    assert_eq!(document.root().members().count(), 0);
}

#[test]
fn a_member_is_found_by_its_name_as_unescaped() {
    let text = r#"{"user_id":"12345","caf\u00e9":{"deep":[{"er":true}]}}"#;
    let document = Document::parse(text.as_bytes()).unwrap();

    assert_eq!(document.get("user_id").unwrap().as_str().as_deref(), Some("12345"));
    let nested = document.get("café").unwrap();
    assert_eq!(root(text).get("café"), Some(*nested));
    let deeper = nested.get("deep").and_then(|deep| deep.elements().next()).and_then(|first| first.get("er"));
    assert_eq!(deeper.unwrap().as_bool(), Some(true));
    assert_eq!(document.get("caf"), None);
    assert_eq!(root("[1]").get("a"), None);
}

#[test]
fn a_string_is_borrowed_unless_it_has_escapes() {
    assert!(matches!(root("\"plain é\"").as_str(), Some(Cow::Borrowed("plain é"))));
    assert_eq!(root(r#""""#).as_str().unwrap(), "");
    assert_eq!(root(r#""\\""#).as_str().unwrap(), "\\");
    assert_eq!(
        root(r#""\"\\\/\b\f\n\r\t\u0000\u00E9\uD83D\uDE00é\\u0041""#).as_str().unwrap(),
        "\"\\/\u{8}\u{c}\n\r\t\0é😀é\\u0041"
    );
    assert_eq!(root("1").as_str(), None);
}

#[test]
fn an_integer_keeps_its_digits() {
    for digits in ["0", "-0", "-7", "9007199254740993", "123456789012345678901234567890"] {
        assert_eq!(root(digits).as_integer(), Some(digits));
    }
    for other in ["1.0", "1e3", "-0.0", "\"1\"", "true", "null", "[1]"] {
        assert_eq!(root(other).as_integer(), None, "{other}");
    }
}

#[test]
fn only_booleans_have_a_truth() {
    assert_eq!(root("true").as_bool(), Some(true));
    assert_eq!(root(" false ").as_bool(), Some(false));
    assert_eq!(root("null").as_bool(), None);
    assert_eq!(root("1").as_bool(), None);
}

#[test]
fn a_walk_gives_the_kinds_that_the_scan_gave() {
    let texts = ["null", "true", "false", "1", "-0", "1.5", "1e3", "1E+3", "\"a\"", "[1.5]", "{\"a\":1.5}"];
    let members: Vec<_> = texts.iter().map(|text| format!("{}:{text}", escape(text))).collect();
    let text = format!("{{{}}}", members.join(","));
    let document = Document::parse(text.as_bytes()).unwrap();
    let kinds: Vec<Kind> = document.members().map(|(_, value)| value.kind()).collect();

    assert_eq!(document.root().members().map(|(_, value)| value.kind()).collect::<Vec<_>>(), kinds);
    for (text, kind) in texts.into_iter().zip(kinds) {
        assert_eq!(root(text).kind(), kind, "{text}");
    }
}

#[test]
fn a_written_string_escapes_what_it_must_and_nothing_else() {
    let text = "\"\\/\u{8}\u{c}\n\r\t\0\u{1f}\u{10}\u{7f}é😀\u{2028}";
    let literal = "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\\u0010\u{7f}é😀\u{2028}\"";
    let mut out = b"{\"a\":".to_vec();
    write_string(&mut out, text);

    assert_eq!(escape(text).to_string(), literal);
    assert_eq!(String::from_utf8(out).unwrap(), format!("{{\"a\":{literal}"));
    assert_eq!(escape("").to_string(), "\"\"");
}
