//! The texts of syntax errors.

use crate::Document;

fn error_text(text: impl AsRef<[u8]>) -> String {
    Document::parse(text.as_ref()).unwrap_err().to_string()
}

#[test]
fn an_error_has_a_reason_and_a_position() {
    for (text, expected) in [
        ("", "empty text where a JSON value was expected"),
        (" \n ", "empty text where a JSON value was expected"),
        ("\u{feff}{}", "byte order mark before the JSON text"),
        (r#"{"user_id":"12345","user_id":1}"#, r#"duplicate member name "user_id" at line 1 column 20"#),
        (r#"{"user_id":1, "\u0075ser_id":2}"#, r#"duplicate member name "user_id" at line 1 column 15"#),
        (
            "{\n  \"a\": 1\n  \"b\": 2\n}",
            "unexpected character '\"', expected a comma or the object's end at line 3 column 3",
        ),
        ("{\"é\": [😀]}", "unexpected character '😀', expected a value at line 1 column 8"),
        ("{\"a\":", "unexpected end of the text, expected a value at line 1 column 6"),
        ("{\"a\" 1}", "unexpected character '1', expected a colon at line 1 column 6"),
        ("{a:1}", "unexpected character 'a', expected a member name in double quotes at line 1 column 2"),
        ("{\"a\":1,}", "unexpected character '}', expected a member name in double quotes at line 1 column 8"),
        ("[1,]", "unexpected character ']', expected a value at line 1 column 4"),
        ("[1", "unexpected end of the text, expected a comma or the array's end at line 1 column 3"),
        ("{} {}", "unexpected character '{', expected the end of the text at line 1 column 4"),
        ("trust", "unexpected character 's', expected true at line 1 column 4"),
        ("nul", "unexpected end of the text, expected null at line 1 column 4"),
        ("[\n1.]", "unexpected character ']', expected a digit at line 2 column 3"),
        ("-", "unexpected end of the text, expected a digit at line 1 column 2"),
        ("[-012]", "number with a leading zero at line 1 column 3"),
        ("[-1e999]", "number out of range: -1e999 at line 1 column 2"),
        ("\"abc", "unexpected end of the text, expected the closing quote of a string at line 1 column 5"),
        (r#""abc\q""#, "invalid escape in a string at line 1 column 5"),
        (r#""abc\u12x4""#, "invalid escape in a string at line 1 column 5"),
        (r#""\uD83D\uD83D""#, "lone surrogate in a string at line 1 column 2"),
        ("\"a\nb\"", "unescaped control character U+000A in a string at line 1 column 3"),
        ("\"a\u{1f}\"", "unescaped control character U+001F in a string at line 1 column 3"),
    ] {
        assert_eq!(error_text(text), expected, "for {text:?}");
    }
}

#[test]
fn invalid_utf8_is_located_by_its_byte() {
    assert_eq!(error_text(b"{\"name\": \"\xc3\xa9\xff\"}"), "invalid UTF-8 at byte 12");
    assert_eq!(error_text(b"\xff"), "invalid UTF-8 at byte 0");
    assert_eq!(error_text(b"{}\xe2\x82"), "invalid UTF-8 at byte 2");
}

#[test]
fn an_error_has_an_offset_a_line_and_a_column() {
    let error = Document::parse("{\r\n \"é\": 1,\r\n \"é\": 2}".as_bytes()).unwrap_err();
    assert_eq!((error.offset(), error.line(), error.column()), (15, 3, 2));
}

#[test]
fn a_long_name_or_number_is_truncated_in_the_error() {
    let name = "é".repeat(100_000);
    let cut = "é".repeat(64);
    assert_eq!(
        error_text(format!(r#"{{"{name}":1,"{name}":1}}"#)),
        format!("duplicate member name \"{cut}…\" at line 1 column 100007")
    );
    assert_eq!(error_text("9".repeat(400)), format!("number out of range: {}… at line 1 column 1", "9".repeat(64)));
}

#[test]
fn quoted_input_cannot_break_an_errors_line() {
    assert_eq!(
        error_text(r#"{"\n\u0085\u202e":1,"\n\u0085\u202e":1}"#),
        r#"duplicate member name "\n\u{85}\u{202e}" at line 1 column 21"#
    );
    assert_eq!(error_text("\u{1b}[2J"), r"unexpected character '\u{1b}', expected a value at line 1 column 1");
}
