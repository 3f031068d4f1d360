//! Properties of every text.

use proptest::collection::vec;
use proptest::prelude::*;

use super::sources::{damaged, name, space, value, written_string};
use super::strict_reader;
use crate::{Document, Kind, Value, escape, write_string};

/// The value as a tree, through [`Value`]'s accessors.
fn tree(value: Value<'_>) -> serde_json::Value {
    match value.kind() {
        Kind::Null => serde_json::Value::Null,
        Kind::Bool => value.as_bool().unwrap().into(),
        Kind::Integer | Kind::Float => serde_json::from_str(value.raw()).unwrap(),
        Kind::String => value.as_str().unwrap().into(),
        Kind::Array => value.elements().map(tree).collect(),
        Kind::Object => value.members().map(|(name, value)| (name.into_owned(), tree(value))).collect(),
    }
}

/// The value without insignificant white space.
fn compact(value: Value<'_>) -> String {
    match value.kind() {
        Kind::Array => format!("[{}]", value.elements().map(compact).collect::<Vec<_>>().join(",")),
        Kind::Object => {
            let members = value.members().map(|(name, value)| format!("{}:{}", escape(&name), compact(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        _ => value.raw().to_owned(),
    }
}

/// Reads every value and name.
fn visit(value: Value<'_>) -> usize {
    let inside = value.elements().map(visit).sum::<usize>()
        + value.members().map(|(name, value)| name.len() + visit(value)).sum::<usize>();
    inside + value.as_str().map_or(1, |text| text.len()) + value.as_integer().map_or(1, str::len)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn both_parsers_agree_on_generated_texts(text in value()) {
        let result = Document::parse(text.as_bytes());
        prop_assert_eq!(result.is_ok(), strict_reader::accepts(text.as_bytes()), "{:?}", result.err());
    }

    #[test]
    fn both_parsers_agree_on_damaged_texts(bytes in damaged()) {
        let result = Document::parse(&bytes);
        prop_assert_eq!(result.is_ok(), strict_reader::accepts(&bytes), "{}: {:?}", bytes.escape_ascii(), result.err());
    }

    #[test]
    fn both_parsers_read_the_same_values(text in value()) {
        if let Ok(document) = Document::parse(text.as_bytes()) {
            let read: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(tree(document.root()), read);
        }
    }

    #[test]
    fn both_parsers_agree_on_any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        let result = Document::parse(&bytes);
        prop_assert_eq!(result.is_ok(), strict_reader::accepts(&bytes));
    }

    #[test]
    fn an_errors_position_is_within_the_text(bytes in damaged()) {
        match Document::parse(&bytes) {
            Ok(document) => prop_assert!(visit(document.root()) > 0),
            Err(error) => {
                prop_assert!(error.offset() <= bytes.len());
                prop_assert!(error.column() <= error.offset() + 1);
                let lines = bytes[..error.offset()].split(|&byte| byte == b'\n').count();
                prop_assert_eq!(error.line(), lines);
                prop_assert!(error.to_string().len() < 1024);
            }
        }
    }

    #[test]
    fn members_and_values_are_slices_of_the_text(
        members in vec((name(), value()), 0..5),
        spaces in vec(space(), 17),
    ) {
        let written = members.iter().zip(spaces.chunks(4)).map(|((name, value), space)| {
            [&space[0], name, &space[1], ":", &space[2], value, &space[3]].concat()
        });
        let around = &spaces[16];
        let spaced = format!("{around}{{{}}}{around}", written.collect::<Vec<_>>().join(","));

        if let Ok(document) = Document::parse(spaced.as_bytes()) {
            let raw: Vec<_> = document.members().map(|(_, value)| value.raw()).collect();
            let written: Vec<_> = members.iter().map(|(_, value)| value.as_str()).collect();
            prop_assert_eq!(raw, written);
            let ready: Vec<_> = document.members().map(|(name, value)| (name.clone(), *value)).collect();
            prop_assert_eq!(ready, document.root().members().collect::<Vec<_>>());
            prop_assert_eq!(document.root().raw(), spaced.trim_ascii());
            prop_assert_eq!(document.members().len(), members.len());

            let again = compact(document.root());
            prop_assert_eq!(compact(Document::parse(again.as_bytes()).unwrap().root()), again);
        }
    }

    #[test]
    fn every_spelling_of_a_string_reads_the_same((text, literal) in written_string()) {
        let document = Document::parse(literal.as_bytes()).unwrap();
        prop_assert_eq!(document.root().raw(), &literal);
        prop_assert_eq!(document.root().as_str().unwrap(), text);
    }

    #[test]
    fn a_string_round_trips_through_its_literal(text in any::<String>(), control in "[\0-\u{1f}\"\\\\a]{0,20}") {
        for text in [text, control] {
            let mut out = Vec::new();
            write_string(&mut out, &text);
            let shown = escape(&text).to_string();
            prop_assert_eq!(shown.as_bytes(), &out);
            prop_assert_eq!(Document::parse(&out).unwrap().root().as_str().unwrap(), text.as_str());
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
