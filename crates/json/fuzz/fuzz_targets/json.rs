//! Any bytes: the strict parser accepts a subset of a lenient parser's texts, and every slice it returns is JSON.

#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace_json::{Document, Kind, Value, write_string};
use serde::Deserialize;

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = Document::parse(bytes) else { return };
    let mut other = serde_json::Deserializer::from_slice(bytes);
    other.disable_recursion_limit();
    serde_json::Value::deserialize(&mut other).expect("the lenient parser accepts it");
    inspect(&document.root());
    let names: Vec<_> = document.members().map(|(name, value)| (name.clone(), value.raw())).collect();
    let walked: Vec<_> = document.root().members().map(|(name, value)| (name, value.raw())).collect();
    assert_eq!(names, walked, "the parsed members equal those of a walk");
});

fn inspect(value: &Value<'_>) {
    let again = Document::parse(value.raw().as_bytes()).expect("a part of a valid text is valid");
    assert_eq!((again.root().raw(), again.kind()), (value.raw(), value.kind()));
    match value.kind() {
        Kind::String => {
            let text = value.as_str().expect("a string has text");
            let mut literal = Vec::new();
            write_string(&mut literal, &text);
            let again = Document::parse(&literal).expect("a written literal is valid");
            assert_eq!(again.root().as_str().as_deref(), Some(&*text));
        }
        Kind::Array => value.elements().for_each(|element| inspect(&element)),
        Kind::Object => value.members().for_each(|(_, member)| inspect(&member)),
        _ => {}
    }
}
