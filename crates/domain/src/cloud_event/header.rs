//! Values of `ce-` headers (HTTP protocol binding 1.0.2, section 3.1.3.2).

use std::borrow::Cow;
use std::str::Utf8Error;

use percent_encoding::percent_decode_str;

/// Decodes a header value: unescaped where the whole value is a quoted string, then percent-decoded once.
///
/// # Errors
/// The value is not UTF-8 after percent-decoding.
pub(super) fn decode(value: &str) -> Result<Cow<'_, str>, Utf8Error> {
    match unquoted(value) {
        None => percent_decode_str(value).decode_utf8(),
        Some(text) => percent_decode_str(&text).decode_utf8().map(|text| Cow::Owned(text.into_owned())),
    }
}

/// The content of a quoted string (RFC 7230, section 3.2.6). Other quotes belong to the value: SDKs
/// send them unescaped.
fn unquoted(value: &str) -> Option<String> {
    let mut inside = value.strip_prefix('"')?.chars();
    let mut text = String::with_capacity(value.len());
    loop {
        match inside.next()? {
            '"' => return inside.as_str().is_empty().then_some(text),
            '\\' => text.push(inside.next()?),
            character => text.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_string_is_unescaped_and_then_percent_decoded_once() {
        for (header, text) in [
            (r#""say \"hi\"""#, r#"say "hi""#),
            (r#""a\\b""#, r"a\b"),
            (r#""\a""#, "a"),
            (r#""""#, ""),
            (r#""%22a%20b%22""#, r#""a b""#),
            ("%2522", "%22"),
            ("a%20b", "a b"),
            ("Gr%C3%B6%C3%9Fe", "Größe"),
            ("Größe %E2%82%AC", "Größe €"),
            ("100%", "100%"),
        ] {
            assert_eq!(decode(header).unwrap(), text, "{header}");
        }
        assert!(decode("%FF").is_err());
        assert!(decode(r#""%FF""#).is_err());
    }

    #[test]
    fn quotes_that_do_not_enclose_the_value_are_kept() {
        for header in [r#"say "hi""#, r#""hi" she said"#, r#"""#, r#""a"#, r#""a\""#, r#"a\"b"#, r#""a"b""#] {
            assert_eq!(decode(header).unwrap(), header);
        }
    }
}
