//! Splitting an array while it is checked gives what checking it first and walking it afterwards does.

use proptest::collection::vec;
use proptest::prelude::*;

use super::sources::{damage, damaged, space, value};
use crate::json::{Array, Document, Error, MAX_DEPTH, Value};

/// A value and its members.
type Part<'a> = (Value<'a>, Vec<(String, Value<'a>)>);

fn part<'a>(document: &Document<'a>) -> Part<'a> {
    (document.root(), document.members().map(|(name, value)| (name.to_string(), *value)).collect())
}

/// The array's elements; none where `bytes` are no array.
fn split(bytes: &[u8]) -> Result<Option<Vec<Part<'_>>>, Error> {
    let Some(array) = Array::open(bytes)? else { return Ok(None) };
    array.map(|element| element.map(|document| part(&document))).collect::<Result<_, _>>().map(Some)
}

/// The same, by way of a whole document.
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
    fn an_array_is_split_as_a_walk_splits_it(text in array()) {
        prop_assert_eq!(split(text.as_bytes()), walk(text.as_bytes()));
    }

    #[test]
    fn a_damaged_array_is_refused_in_the_same_words(bytes in damage(array())) {
        prop_assert_eq!(split(&bytes), walk(&bytes));
    }

    #[test]
    fn other_texts_are_no_arrays_or_are_refused_in_the_same_words(bytes in damaged()) {
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
fn nothing_comes_after_an_error() {
    let mut array = Array::open(b"[1, 2 3, 4]").unwrap().unwrap();
    assert_eq!(array.next().unwrap().unwrap().root().raw(), "1");
    assert_eq!(array.next().unwrap().unwrap().root().raw(), "2");
    assert!(array.next().unwrap().unwrap_err().to_string().ends_with("at line 1 column 7"));
    assert!(array.next().is_none());
}

#[test]
fn the_array_counts_as_a_level() {
    for (inside, is_accepted) in [(MAX_DEPTH - 1, true), (MAX_DEPTH, false)] {
        let text = format!("[1, {}{}]", "[".repeat(inside), "]".repeat(inside));
        assert_eq!(split(text.as_bytes()).is_ok(), is_accepted);
        assert_eq!(split(text.as_bytes()), walk(text.as_bytes()));
    }
}
