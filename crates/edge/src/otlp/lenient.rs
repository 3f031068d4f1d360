//! Fields of OTLP/JSON as senders write them: at least what any receiver reads.
//!
//! null stands for the default; numbers are numbers or text; enums are numbers, text or names; ids are hex in either case;
//! bytes are base64 in either alphabet.

use std::fmt;

use serde::de::{Deserializer, Error};
use serde::{Deserialize, de};

/// A number as a number or as text; null.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Unsigned(u64),
    Signed(i64),
    Double(f64),
    Text(String),
    Null,
}

/// A field of which null is the default.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A text. JavaScript's may have halves of characters, which `serde_json` gives as bytes alone: each becomes U+FFFD, and
/// the rest of the request is read.
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(TextVisitor)
    }
}

struct TextVisitor;

impl de::Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(Text(text.to_owned()))
    }

    fn visit_bytes<E>(self, mut bytes: &[u8]) -> Result<Text, E> {
        let mut text = String::new();
        while let Some(chunk) = bytes.utf8_chunks().next() {
            text.push_str(chunk.valid());
            let rest = &bytes[chunk.valid().len()..];
            // A half is three bytes, which by themselves would be three wrong ones.
            let is_half = matches!(rest, [0xED, 0xA0..=0xBF, 0x80..=0xBF, ..]);
            let invalid = if is_half { 3 } else { chunk.invalid().len() };
            if invalid > 0 {
                text.push('\u{FFFD}');
            }
            bytes = &rest[invalid..];
        }
        Ok(Text(text))
    }
}

/// A text of which null is the empty one.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::<Text>::deserialize(deserializer)?.map(|text| text.0).unwrap_or_default())
}

/// Unix nanoseconds.
pub(super) fn nanoseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match Number::deserialize(deserializer)? {
        Number::Unsigned(number) => Ok(number),
        Number::Null => Ok(0),
        Number::Text(text) if text.is_empty() => Ok(0),
        Number::Text(text) => text.parse().map_err(|_| D::Error::custom(format!("{text} is no number of nanoseconds"))),
        Number::Signed(_) | Number::Double(_) => {
            Err(D::Error::custom("a time must be a whole number of nanoseconds from 0"))
        }
    }
}

/// A small number that is not negative.
pub(super) fn unsigned<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = nanoseconds(deserializer)?;
    u32::try_from(number).map_err(|_| D::Error::custom(format!("{number} is too large")))
}

/// A severity's number: as a number, as text, or as `SEVERITY_NUMBER_WARN2`.
pub(super) fn severity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    let wrong = |text: &str| D::Error::custom(format!("{text} is no severity number"));
    match Number::deserialize(deserializer)? {
        Number::Null => Ok(0),
        Number::Unsigned(number) => i32::try_from(number).map_err(|_| wrong(&number.to_string())),
        Number::Text(text) => text.parse().ok().or_else(|| named_severity(&text)).ok_or_else(|| wrong(&text)),
        Number::Signed(_) | Number::Double(_) => Err(wrong("a negative number or a fraction")),
    }
}

fn named_severity(text: &str) -> Option<i32> {
    let name = text.strip_prefix("SEVERITY_NUMBER_")?;
    if name == "UNSPECIFIED" {
        return Some(0);
    }
    let word = name.trim_end_matches(|digit: char| digit.is_ascii_digit());
    let base = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"].iter().position(|known| *known == word)?;
    let step = match &name[word.len()..] {
        "" => 0,
        "2" => 1,
        "3" => 2,
        "4" => 3,
        _ => return None,
    };
    i32::try_from(base * 4 + 1 + step).ok()
}

/// An id in hex.
pub(super) fn hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8]| match *pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
    bytes.ok_or_else(|| D::Error::custom(format!("{text} is no id in hex")))
}

pub(super) mod integer {
    //! `intValue`: text, a number, or one that only a double holds, which JavaScript writes as `1e+21`.

    use super::{Deserialize, Deserializer, Number, de};
    use crate::otlp::model::Value;

    pub(in super::super) struct Lenient(pub(in super::super) Option<Value>);

    impl<'de> Deserialize<'de> for Lenient {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let value = match Number::deserialize(deserializer)? {
                Number::Null => return Ok(Self(None)),
                Number::Signed(number) => Value::Int(number),
                #[expect(clippy::cast_precision_loss, reason = "beyond 64 bits with a sign: kept as a double")]
                Number::Unsigned(number) => i64::try_from(number).map_or(Value::Double(number as f64), Value::Int),
                Number::Double(number) => Value::Double(number),
                Number::Text(text) => match (text.parse(), text.parse()) {
                    (Ok(number), _) => Value::Int(number),
                    (_, Ok(number)) => Value::Double(number),
                    _ => return Err(de::Error::custom(format!("{text} is no integer"))),
                },
            };
            Ok(Self(Some(value)))
        }
    }
}

pub(super) mod double {
    //! `doubleValue`: a number, text (`NaN`, `Infinity`, `-Infinity` as well), or null for NaN.

    use super::{Deserialize, Deserializer, Number, de};

    pub(in super::super) struct Lenient(pub(in super::super) f64);

    impl<'de> Deserialize<'de> for Lenient {
        #[expect(clippy::cast_precision_loss, reason = "a double")]
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let number = match Number::deserialize(deserializer)? {
                Number::Null => f64::NAN,
                Number::Unsigned(number) => number as f64,
                Number::Signed(number) => number as f64,
                Number::Double(number) => number,
                Number::Text(text) => text.parse().map_err(|_| de::Error::custom(format!("{text} is no double")))?,
            };
            Ok(Self(number))
        }
    }
}

pub(super) mod bytes {
    //! `bytesValue`: base64, of either alphabet, padded or not.

    use base64::Engine as _;
    use base64::alphabet::{STANDARD, URL_SAFE};
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

    use super::{Deserialize, Deserializer, de};

    const CONFIG: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

    pub(in super::super) struct Lenient(pub(in super::super) Option<Vec<u8>>);

    impl<'de> Deserialize<'de> for Lenient {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(Self(None)) };
            let decoded = GeneralPurpose::new(&STANDARD, CONFIG)
                .decode(&text)
                .or_else(|_| GeneralPurpose::new(&URL_SAFE, CONFIG).decode(&text));
            decoded.map(|bytes| Self(Some(bytes))).map_err(|_| de::Error::custom("bytes that are no base64"))
        }
    }
}
