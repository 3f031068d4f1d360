//! JSON of log lines: the pairs of the outermost object, in place.
//!
//! A log line is anybody's JSON. Unlike the events' strict reader, this one takes repeated names (all pairs are returned,
//! in the order written), numbers of any size, single surrogates, Python's `NaN` and `Infinity`, and control characters
//! in strings. The rest of the grammar is RFC 8259's, so that what merely looks like JSON stays text.

use std::borrow::Cow;

use crate::next_special;

/// The deepest nesting read: deeper lines are plain text.
const MAX_DEPTH: usize = 128;

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    String,
    /// A number, of any size; `NaN` and `Infinity` as well.
    Number,
    /// `true` or `false`.
    Bool,
    /// `null`.
    Null,
    /// An object.
    Object,
    /// An array.
    Array,
}

/// A value as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    /// Its type.
    pub kind: Kind,
    /// The text as written; a string's without its quotes.
    pub raw: &'a str,
    /// Whether a string has escapes.
    pub escaped: bool,
}

/// A name and its value, as offsets into the line: a list of them serves one line after the other.
#[derive(Debug, Clone, Copy)]
struct Span {
    key: (u32, u32),
    key_escaped: bool,
    value: (u32, u32),
    kind: Kind,
    escaped: bool,
}

/// The pairs of an object; one list serves one text after the other.
#[derive(Debug, Default)]
pub struct Pairs {
    spans: Vec<Span>,
}

/// A name that is expected.
#[derive(Debug)]
pub struct Name {
    /// As written, with its quotes and its colon.
    literal: String,
    escaped: bool,
}

impl Name {
    /// A name as written, without its quotes.
    pub fn new(name: &str) -> Self {
        Self { literal: format!("\"{name}\":"), escaped: name.contains('\\') }
    }

    /// The name as written, without its quotes.
    pub fn as_written(&self) -> &str {
        self.literal.get(1..self.literal.len() - 2).unwrap_or_default()
    }
}

/// A name and its value.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// The name as written, without its quotes.
    pub key: &'a str,
    /// Whether the name has escapes.
    pub key_escaped: bool,
    /// Its value.
    pub value: Value<'a>,
}

impl Pairs {
    /// Reads a text that is one object and nothing else; false where it is none.
    pub fn read(&mut self, text: &str) -> bool {
        self.spans.clear();
        let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
        reader.blanks();
        reader.peek() == Some(b'{')
            && u32::try_from(text.len()).is_ok()
            && reader.object(0, Some(&mut self.spans)).is_some()
            && {
                reader.blanks();
                reader.at == text.len()
            }
    }

    /// Reads a text whose names are expected to be these: they are compared, not looked for. False where they are others; the
    /// text may be an object still.
    pub fn read_expected<'k>(&mut self, text: &str, names: impl ExactSizeIterator<Item = &'k Name>) -> bool {
        self.spans.clear();
        let mut reader = Reader { bytes: text.as_bytes(), at: 1 };
        let mut left = names.len();
        if left == 0 || !text.starts_with('{') || u32::try_from(text.len()).is_err() {
            return false;
        }
        for Name { literal, escaped: key_escaped } in names {
            left -= 1;
            reader.blanks();
            let start = reader.at;
            if !reader.bytes.get(start..).is_some_and(|rest| begins_with(rest, literal.as_bytes())) {
                return false;
            }
            reader.at += literal.len();
            reader.blanks();
            let Some((kind, value, escaped)) = reader.value(0) else { return false };
            self.spans.push(Span {
                key: span(start + 1..start + literal.len() - 2),
                key_escaped: *key_escaped,
                value: span(value),
                kind,
                escaped,
            });
            reader.blanks();
            let expected = if left == 0 { b'}' } else { b',' };
            if reader.peek() != Some(expected) {
                return false;
            }
            reader.at += 1;
        }
        reader.blanks();
        reader.at == text.len()
    }

    /// The type of the value at this place.
    pub fn kind(&self, index: usize) -> Option<Kind> {
        self.spans.get(index).map(|span| span.kind)
    }

    /// The value of the first pair of this name.
    pub fn get<'t>(&self, text: &'t str, name: &str) -> Option<Value<'t>> {
        self.iter(text).find(|pair| pair.key == name).map(|pair| pair.value)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The number of pairs.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// The pairs, of the text that was read.
    pub fn iter<'t>(&self, text: &'t str) -> impl DoubleEndedIterator<Item = Pair<'t>> + use<'_, 't> {
        let slice = move |(from, to): (u32, u32)| text.get(from as usize..to as usize).unwrap_or_default();
        self.spans.iter().map(move |span| Pair {
            key: slice(span.key),
            key_escaped: span.key_escaped,
            value: Value { kind: span.kind, raw: slice(span.value), escaped: span.escaped },
        })
    }
}

impl<'a> Value<'a> {
    /// A string's text where it has no escapes; any other value as written.
    #[inline]
    pub fn text(&self) -> Cow<'a, str> {
        if self.escaped { unescape(self.raw).into() } else { self.raw.into() }
    }

    /// Whether it is a string.
    pub fn is_string(&self) -> bool {
        self.kind == Kind::String
    }

    /// The elements of an array.
    pub fn elements(&self) -> Vec<Value<'a>> {
        Elements::open(self.raw).into_iter().flatten().map_while(Result::ok).collect()
    }
}

/// The elements of a text that is an array, each read when it is asked for. The iterator ends after an error, which is the
/// offset where the text is no JSON.
#[derive(Debug)]
pub struct Elements<'a> {
    text: &'a str,
    reader: Reader<'a>,
    /// Whether an element was read.
    is_begun: bool,
    ended: bool,
}

impl<'a> Elements<'a> {
    /// Opens an array; `None` where the text begins with something else.
    pub fn open(text: &'a str) -> Option<Self> {
        let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
        reader.blanks();
        (reader.peek() == Some(b'[')).then(|| {
            reader.at += 1;
            Self { text, reader, is_begun: false, ended: false }
        })
    }

    /// The next element; none at the end of the array and of the text.
    fn advance(&mut self) -> Result<Option<Value<'a>>, usize> {
        self.reader.blanks();
        match self.reader.peek() {
            Some(b']') => {
                self.reader.at += 1;
                self.reader.blanks();
                return if self.reader.at == self.text.len() { Ok(None) } else { Err(self.reader.at) };
            }
            Some(b',') if self.is_begun => {
                self.reader.at += 1;
                self.reader.blanks();
            }
            Some(_) if !self.is_begun => {}
            _ => return Err(self.reader.at),
        }
        self.is_begun = true;
        let found =
            self.reader.value(0).and_then(|(kind, range, escaped)| Some((kind, self.text.get(range)?, escaped)));
        found.map(|(kind, raw, escaped)| Some(Value { kind, raw, escaped })).ok_or(self.reader.at)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Value<'a>, usize>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.advance().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Whether a text begins with a name. Most names have 4 to 16 bytes: they are compared as two words, which may overlap.
#[inline]
fn begins_with(text: &[u8], name: &[u8]) -> bool {
    let Some(text) = text.get(..name.len()) else { return false };
    match name.len() {
        8..=16 => text.first_chunk::<8>() == name.first_chunk() && text.last_chunk::<8>() == name.last_chunk(),
        4..8 => text.first_chunk::<4>() == name.first_chunk() && text.last_chunk::<4>() == name.last_chunk(),
        _ => text == name,
    }
}

/// Where the value at the start of a text ends; `None` where there is none.
pub fn value_end(text: &str) -> Option<usize> {
    let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
    reader.value(0).map(|_| reader.at)
}

#[derive(Debug)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Offsets in a text whose length is 32 bits at most.
#[expect(clippy::cast_possible_truncation)]
fn span(range: std::ops::Range<usize>) -> (u32, u32) {
    (range.start as u32, range.end as u32)
}

type Found = (Kind, std::ops::Range<usize>, bool);

impl Reader<'_> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    /// Reads an object; its pairs go to `spans`.
    fn object(&mut self, depth: usize, mut spans: Option<&mut Vec<Span>>) -> Option<()> {
        if depth == MAX_DEPTH {
            return None;
        }
        self.at += 1;
        self.blanks();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            if self.peek()? != b'"' {
                return None;
            }
            let (key, key_escaped) = self.string()?;
            self.blanks();
            if self.peek()? != b':' {
                return None;
            }
            self.at += 1;
            self.blanks();
            let (kind, value, escaped) = self.value(depth)?;
            if let Some(spans) = spans.as_deref_mut() {
                spans.push(Span { key: span(key), key_escaped, value: span(value), kind, escaped });
            }
            self.blanks();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
            self.blanks();
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        if depth == MAX_DEPTH {
            return None;
        }
        self.at += 1;
        self.blanks();
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.value(depth)?;
            self.blanks();
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
            self.blanks();
        }
    }

    #[inline]
    fn value(&mut self, depth: usize) -> Option<Found> {
        let start = self.at;
        let kind = match self.peek()? {
            b'"' => {
                let (range, escaped) = self.string()?;
                return Some((Kind::String, range, escaped));
            }
            b'{' => {
                self.object(depth + 1, None)?;
                Kind::Object
            }
            b'[' => {
                self.array(depth + 1)?;
                Kind::Array
            }
            b't' => self.word(b"true", Kind::Bool)?,
            b'f' => self.word(b"false", Kind::Bool)?,
            b'n' => self.word(b"null", Kind::Null)?,
            b'N' => self.word(b"NaN", Kind::Number)?,
            b'I' => self.word(b"Infinity", Kind::Number)?,
            _ => self.number()?,
        };
        Some((kind, start..self.at, false))
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Option<Kind> {
        let found = self.bytes.get(self.at..)?.starts_with(word);
        found.then(|| {
            self.at += word.len();
            kind
        })
    }

    fn number(&mut self) -> Option<Kind> {
        if self.peek()? == b'-' {
            self.at += 1;
            if self.peek()? == b'I' {
                return self.word(b"Infinity", Kind::Number);
            }
        }
        self.digits()?;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(Kind::Number)
    }

    #[inline]
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    /// Reads a string; returns the range of its content, and whether it has escapes.
    #[inline]
    fn string(&mut self) -> Option<(std::ops::Range<usize>, bool)> {
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            match next_special(self.bytes, at)? {
                (quote, b'"') => {
                    self.at = quote + 1;
                    return Some((start..quote, escaped));
                }
                (backslash, b'\\') => {
                    escaped = true;
                    let length = match self.bytes.get(backslash + 1)? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
                        b'u' => {
                            let digits = self.bytes.get(backslash + 2..backslash + 6)?;
                            digits.iter().all(u8::is_ascii_hexdigit).then_some(6)?
                        }
                        _ => return None,
                    };
                    at = backslash + length;
                }
                (control, _) => at = control + 1,
            }
        }
    }
}

/// The text of a string's content; a single surrogate, which is no character, stays as its escape.
pub fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(backslash) = rest.find('\\') {
        text.push_str(&rest[..backslash]);
        let escape = &rest[backslash..];
        let length = match escape.as_bytes().get(1) {
            Some(b'u') => {
                if let Some((character, length)) = unicode(escape) {
                    text.push(character);
                    length
                } else {
                    text.push_str(escape.get(..6).unwrap_or(escape));
                    6
                }
            }
            Some(&letter) => {
                text.push(match letter {
                    b'b' => '\u{8}',
                    b'f' => '\u{c}',
                    b'n' => '\n',
                    b'r' => '\r',
                    b't' => '\t',
                    itself => char::from(itself),
                });
                2
            }
            None => 1,
        };
        rest = escape.get(length..).unwrap_or_default();
    }
    text.push_str(rest);
    text
}

/// The character of the `\u` escape at the start, or of a pair of them, and their length.
fn unicode(escape: &str) -> Option<(char, usize)> {
    let unit = |from: usize| u16::from_str_radix(escape.get(from + 2..from + 6)?, 16).ok();
    let first = unit(0)?;
    if let Some(character) = char::from_u32(u32::from(first)) {
        return Some((character, 6));
    }
    let second = escape.get(6..8).filter(|&start| start == "\\u").and_then(|_| unit(6))?;
    let character = char::decode_utf16([first, second]).next()?.ok()?;
    Some((character, 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Option<Vec<(String, Kind, String)>> {
        let mut pairs = Pairs::default();
        pairs.read(text).then(|| {
            let owned = |pair: Pair<'_>| (pair.key.to_owned(), pair.value.kind, pair.value.text().into_owned());
            pairs.iter(text).map(owned).collect()
        })
    }

    #[test]
    fn repeated_names_and_big_numbers_are_kept_in_order() {
        let found =
            pairs(r#" {"a":1,"a":12345678901234567890123, "n":NaN,"m":-Infinity,"e":1e+21} "#).expect("an object");
        let texts: Vec<_> = found.iter().map(|(key, _, text)| (key.as_str(), text.as_str())).collect();
        let expected = [("a", "1"), ("a", "12345678901234567890123"), ("n", "NaN"), ("m", "-Infinity"), ("e", "1e+21")];
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_single_surrogate_stays_as_its_escape() {
        let found = pairs(r#"{"m":"a\ud83d\ude00\ud800b\u00e9\n"}"#).expect("an object");
        assert_eq!(found[0].2, "a\u{1f600}\\ud800bé\n");
    }

    #[test]
    fn what_only_looks_like_json_is_none() {
        for text in [
            r#"{"a":1"#,
            r#"{"a":1} x"#,
            r#"{"a"}"#,
            r"{a:1}",
            r#"{"a":tru}"#,
            r#"{"a":"\x"}"#,
            r#"{"a":.5}"#,
            "{",
            "",
            "[1]",
            r#"{"a":1,}"#,
            r#"{"a":"b}"#,
        ] {
            assert_eq!(pairs(text), None, "{text}");
        }
    }

    #[test]
    fn nesting_beyond_the_limit_is_none() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(pairs(&nested(127)).is_some());
        assert_eq!(pairs(&nested(128)), None);
    }

    #[test]
    fn elements_of_an_array_are_returned_as_written() {
        let text = r#"{"a":[1, "x\n", {"b":[2]}, null, []]}"#;
        let mut pairs = Pairs::default();
        assert!(pairs.read(text));
        let array = pairs.iter(text).next().expect("a pair").value;
        let raw: Vec<_> = array.elements().iter().map(|value| value.raw.to_owned()).collect();
        assert_eq!(raw, ["1", "x\\n", r#"{"b":[2]}"#, "null", "[]"]);
    }

    #[test]
    fn a_text_that_is_no_array_says_where() {
        let read = |text| {
            Elements::open(text)
                .map(|elements| elements.map(|element| element.map(|value| value.raw)).collect::<Vec<_>>())
        };
        assert_eq!(read(" [1, 2 ] "), Some(vec![Ok("1"), Ok("2")]));
        assert_eq!(read("[]"), Some(vec![]));
        assert_eq!(read("{}"), None);
        assert_eq!(read("[1,]"), Some(vec![Ok("1"), Err(3)]));
        assert_eq!(read("[,1]"), Some(vec![Err(1)]));
        assert_eq!(read("[1 2]"), Some(vec![Ok("1"), Err(3)]));
        assert_eq!(read("[1"), Some(vec![Ok("1"), Err(2)]));
        assert_eq!(read("[1] x"), Some(vec![Ok("1"), Err(4)]));
    }
}
