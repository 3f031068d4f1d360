//! Keys: text that identifies an entity or an event, such as a `user_id` or a `CloudEvents` id.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};
use thiserror::Error;

/// An invalid key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The text is empty.
    #[error("must not be empty")]
    Empty,
    /// The text has a control or invisible character.
    #[error("must not hold U+{:04X}: with control or invisible characters two keys look like one", u32::from(*.0))]
    Invisible(char),
}

/// Validates a key: not empty, and no control, format or other invisible character
/// (Unicode's categories Cc, Cf, Zl and Zp, and `Default_Ignorable_Code_Point`). Two keys that look the same would
/// otherwise be two entities. Spaces are allowed.
///
/// # Errors
/// [`KeyError`] names the first invalid character.
pub fn check_key(text: &str) -> Result<(), KeyError> {
    if text.is_empty() {
        return Err(KeyError::Empty);
    }
    // Nearly all keys are printable ASCII.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(());
    }
    text.chars().find(|&character| is_invisible(character)).map_or(Ok(()), |found| Err(KeyError::Invisible(found)))
}

fn is_invisible(character: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    let hidden = [
        GeneralCategory::Control,
        GeneralCategory::Format,
        GeneralCategory::LineSeparator,
        GeneralCategory::ParagraphSeparator,
    ];
    hidden.contains(&category) || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visible_text_is_a_key() {
        for key in ["12345", " ", "a b~", "Köln 😀", "日本語", "é", "e\u{301}", "\u{a0}"] {
            assert_eq!(check_key(key), Ok(()), "{key:?}");
        }
    }

    #[test]
    fn invisible_characters_are_named() {
        for character in [
            '\0',
            '\t',
            '\n',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{9b}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{17b4}',
            '\u{180e}',
            '\u{200b}',
            '\u{200d}',
            '\u{202e}',
            '\u{2028}',
            '\u{2029}',
            '\u{2060}',
            '\u{2066}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{e0001}',
            '\u{e0100}',
        ] {
            for text in [format!("1{character}"), format!("{character}1"), format!("é{character}é")] {
                assert_eq!(check_key(&text), Err(KeyError::Invisible(character)), "{text:?}");
            }
        }
        assert_eq!(check_key(""), Err(KeyError::Empty));
        let error = check_key("a\u{200b}").unwrap_err().to_string();
        assert!(error.starts_with("must not hold U+200B: "), "{error}");
    }
}
