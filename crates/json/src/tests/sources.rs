//! Generators of JSON texts, in all spellings.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// White space, mostly none.
pub(super) fn space() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(String::new()), 1 => "[ \t\r\n]{1,3}"]
}

/// A character, and one of its spellings in a literal.
fn written_char() -> impl Strategy<Value = (char, String)> {
    let character = prop_oneof![
        3 => any::<char>(),
        3 => (0_u8..0x80).prop_map(char::from),
        2 => select("\"\\/\u{8}\u{c}\n\r\t\0é😀".chars().collect::<Vec<_>>()),
    ];
    (character, 0..4).prop_map(|(character, style)| {
        let unit = |unit: &u16| if style == 1 { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
        let units = || character.encode_utf16(&mut [0; 2]).iter().map(unit).collect::<Vec<_>>().concat();
        let written = match (character, style) {
            (_, 0 | 1) => units(),
            ('"', _) => "\\\"".to_owned(),
            ('\\', _) => "\\\\".to_owned(),
            ('/', 2) => "\\/".to_owned(),
            ('\u{8}', _) => "\\b".to_owned(),
            ('\u{c}', _) => "\\f".to_owned(),
            ('\n', _) => "\\n".to_owned(),
            ('\r', _) => "\\r".to_owned(),
            ('\t', _) => "\\t".to_owned(),
            (control, _) if control < ' ' => units(),
            (plain, _) => plain.to_string(),
        };
        (character, written)
    })
}

/// A text, and a literal of it.
pub(super) fn written_string() -> impl Strategy<Value = (String, String)> {
    vec(written_char(), 0..24).prop_map(|characters| {
        let (text, inside): (String, String) = characters.into_iter().unzip();
        (text, format!("\"{inside}\""))
    })
}

/// A member's name as a literal: from few letters, so that some repeat.
pub(super) fn name() -> impl Strategy<Value = String> {
    prop_oneof![6 => "\"[a-z]{1,2}\"", 1 => "\"\\\\u006[1-9]\"", 1 => written_string().prop_map(|(_, literal)| literal)]
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec!["null", "true", "false", "\"\"", "0", "-0"]).prop_map(str::to_owned),
        "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?",
        any::<i64>().prop_map(|number| number.to_string()),
        written_string().prop_map(|(_, literal)| literal),
    ]
}

/// A grammatical value: its names may repeat and its numbers may be out of range.
pub(super) fn value() -> impl Strategy<Value = String> {
    scalar().prop_recursive(5, 60, 6, |inner| {
        let element =
            (space(), inner.clone(), space()).prop_map(|(before, value, after)| before + &value + &after).boxed();
        let member = (space(), name(), space(), element.clone())
            .prop_map(|(before, name, after, value)| format!("{before}{name}{after}:{value}"));
        prop_oneof![
            (vec(element, 0..6), space()).prop_map(|(elements, inside)| {
                if elements.is_empty() { format!("[{inside}]") } else { format!("[{}]", elements.join(",")) }
            }),
            (vec(member, 0..6), space()).prop_map(|(members, inside)| {
                if members.is_empty() { format!("{{{inside}}}") } else { format!("{{{}}}", members.join(",")) }
            }),
        ]
    })
}

/// A text, damaged in a few places.
pub(super) fn damaged() -> impl Strategy<Value = Vec<u8>> {
    damage(value())
}

/// Any of these texts, damaged in a few places.
pub(super) fn damage(text: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => select(b"{}[]:,\"\\ \n0123456789.-+eEtfnu/ab\0\x1f".to_vec()),
        1 => any::<u8>(),
    ];
    (text, vec((any::<Index>(), 0..4, byte), 1..4)).prop_map(|(text, damages)| {
        let mut bytes = text.into_bytes();
        for (place, damage, byte) in damages {
            let at = place.index(bytes.len() + 1);
            match damage {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, byte),
                _ if at == bytes.len() => bytes.push(byte),
                2 => bytes[at] = byte,
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}
