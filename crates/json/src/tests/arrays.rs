//! Splitting an array while it is parsed equals parsing it first and iterating over it.

use proptest::collection::vec;
use proptest::prelude::*;

use super::sources::{damage, damaged, space, value};
use crate::{Array, Document, Error, MAX_DEPTH, Value};

/// A value and its members.
type Part<'a> = (Value<'a>, Vec<(String, Value<'a>)>);

fn part<'a>(document: &Document<'a>) -> Part<'a> {
    (document.root(), document.members().map(|(name, value)| (name.to_string(), *value)).collect())
}

/// The array's elements; `None` where `bytes` are not an array.
fn split(bytes: &[u8]) -> Result<Option<Vec<Part<'_>>>, Error> {
    let Some(array) = Array::open(bytes)? else { return Ok(None) };
    array.map(|element| element.map(|document| part(&document))).collect::<Result<_, _>>().map(Some)
}

/// The same, from a parsed document.
fn walk(bytes: &[u8]) -> Result<Option<Vec<Part<'_>>>, Error> {
    let document = Document::parse(bytes)?;
    let elements = document.elements().map(|element| part(&Document::parse(element.raw().as_bytes()).unwrap()));
    Ok(document.root().raw().starts_with('[').then(|| elements.collect()))
}

fn array() -> impl Strategy<Value = String> {
    let element = (space(), value(), space()).prop_map(|(before, value, after)| before + &value + &after);
    (vec(element, 0..5), space(), space())
        .prop_map(|(elements, before, after)| format!("{before}[{}]{after}", elements.join(",")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn split_arrays_equal_parsed_arrays(text in array()) {
        prop_assert_eq!(split(text.as_bytes()), walk(text.as_bytes()));
    }

    #[test]
    fn damaged_arrays_have_the_same_errors(bytes in damage(array())) {
        prop_assert_eq!(split(&bytes), walk(&bytes));
    }

    #[test]
    fn other_texts_are_not_arrays_or_have_the_same_errors(bytes in damaged()) {
        prop_assert_eq!(split(&bytes), walk(&bytes));
    }

    #[test]
    fn a_part_of_a_document_is_a_document(text in value()) {
        if let Ok(document) = Document::parse(text.as_bytes()) {
            prop_assert_eq!(part(&Document::of(document.root())), part(&document));
        }
    }
}

#[test]
fn the_iterator_ends_after_an_error() {
    let mut array = Array::open(b"[1, 2 3, 4]").unwrap().unwrap();
    assert_eq!(array.next().unwrap().unwrap().root().raw(), "1");
    assert_eq!(array.next().unwrap().unwrap().root().raw(), "2");
    assert!(array.next().unwrap().unwrap_err().to_string().ends_with("at line 1 column 7"));
    assert!(array.next().is_none());
}

#[test]
fn the_array_counts_as_a_level_of_nesting() {
    for (inside, is_accepted) in [(MAX_DEPTH - 1, true), (MAX_DEPTH, false)] {
        let text = format!("[1, {}{}]", "[".repeat(inside), "]".repeat(inside));
        assert_eq!(split(text.as_bytes()).is_ok(), is_accepted);
        assert_eq!(split(text.as_bytes()), walk(text.as_bytes()));
    }
}
