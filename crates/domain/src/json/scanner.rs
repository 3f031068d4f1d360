//! The grammar: one pass over the text, by recursive descent bounded by [`MAX_DEPTH`].

use std::borrow::Cow;
use std::ops::Range;

use super::error::{ErrorKind, Failure};
use super::names::{Mark, Name, Names};
use super::value::{Kind, Value};
use super::{MAX_DEPTH, number, string};

/// Room for the members of a common event, so that one allocation does for their names and one for the values.
const USUAL_MEMBERS: usize = 8;

/// What the pass over a whole text found.
#[derive(Debug)]
pub(super) struct Scanned<'a> {
    /// The outermost value.
    pub(super) root: Value<'a>,
    /// The names of its members, if it is an object.
    pub(super) names: Vec<Name<'a>>,
    /// The values of its members.
    pub(super) values: Vec<Value<'a>>,
}

/// Checks a whole text.
pub(super) fn scan(text: &str) -> Result<Scanned<'_>, Failure> {
    let mut scanner = Scanner { text, at: 0, depth: 0, names: Names::default() };
    let mut values = Vec::new();
    scanner.skip_whitespace();
    let start = scanner.at;
    let kind = match scanner.peek() {
        None => return Err(Failure::new(start, ErrorKind::Empty)),
        Some(b'{') => {
            scanner.names = Names::with_capacity(USUAL_MEMBERS);
            values.reserve(USUAL_MEMBERS);
            scanner.object(|value, kind| values.push(Value::new(&text[value], kind)))?;
            Kind::Object
        }
        Some(_) => scanner.value()?,
    };
    let root = Value::new(&text[start..scanner.at], kind);
    scanner.skip_whitespace();
    if scanner.at < text.len() {
        return Err(Failure::unexpected(text, scanner.at, "the end of the text"));
    }
    Ok(Scanned { root, names: scanner.names.into_inner(), values })
}

struct Scanner<'a> {
    text: &'a str,
    /// Offset of the next byte to look at.
    at: usize,
    /// How many arrays and objects are open.
    depth: usize,
    names: Names<'a>,
}

impl Scanner<'_> {
    /// Steps over the value that begins at the next byte.
    fn value(&mut self) -> Result<Kind, Failure> {
        match self.peek() {
            Some(b'"') => {
                self.at = string::scan(self.text, self.at)?.end;
                Ok(Kind::String)
            }
            Some(b'{') => {
                let object = self.object(|_, _| {})?;
                self.names.forget(object);
                Ok(Kind::Object)
            }
            Some(b'[') => {
                self.array()?;
                Ok(Kind::Array)
            }
            Some(b'-' | b'0'..=b'9') => {
                let (end, kind) = number::scan(self.text, self.at)?;
                self.at = end;
                Ok(kind)
            }
            Some(b't') => self.word("true", Kind::Bool),
            Some(b'f') => self.word("false", Kind::Bool),
            Some(b'n') => self.word("null", Kind::Null),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn word(&mut self, word: &'static str, kind: Kind) -> Result<Kind, Failure> {
        let rest = &self.text.as_bytes()[self.at..];
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(kind);
        }
        self.at += rest.iter().zip(word.bytes()).take_while(|&(&found, wanted)| found == wanted).count();
        Err(self.unexpected(word))
    }

    /// Steps over an object, and reports where each member's value is. Its names stay behind the returned mark.
    fn object(&mut self, mut member: impl FnMut(Range<usize>, Kind)) -> Result<Mark, Failure> {
        self.descend()?;
        let object = self.names.open();
        if self.peek() == Some(b'}') {
            self.ascend();
            return Ok(object);
        }
        loop {
            self.name(object)?;
            let start = self.at;
            let kind = self.value()?;
            member(start..self.at, kind);
            self.skip_whitespace();
            match self.peek() {
                Some(b',') => self.step(),
                Some(b'}') => break,
                _ => return Err(self.unexpected("a comma or the object's end")),
            }
        }
        self.names.close(object)?;
        self.ascend();
        Ok(object)
    }

    /// Steps over a member's name, the colon, and white space.
    fn name(&mut self, object: Mark) -> Result<(), Failure> {
        let open = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a member name in double quotes"));
        }
        let literal = string::scan(self.text, open)?;
        let inside = &self.text[open + 1..literal.end - 1];
        let name = if literal.escaped { Cow::Owned(string::unescape(inside)) } else { Cow::Borrowed(inside) };
        self.names.push(object, name, open)?;
        self.at = literal.end;
        self.skip_whitespace();
        if self.peek() != Some(b':') {
            return Err(self.unexpected("a colon"));
        }
        self.step();
        Ok(())
    }

    /// Steps over an array.
    fn array(&mut self) -> Result<(), Failure> {
        self.descend()?;
        if self.peek() == Some(b']') {
            self.ascend();
            return Ok(());
        }
        loop {
            self.value()?;
            self.skip_whitespace();
            match self.peek() {
                Some(b',') => self.step(),
                Some(b']') => break,
                _ => return Err(self.unexpected("a comma or the array's end")),
            }
        }
        self.ascend();
        Ok(())
    }

    /// Steps over an opening bracket and white space.
    fn descend(&mut self) -> Result<(), Failure> {
        if self.depth == MAX_DEPTH {
            return Err(Failure::new(self.at, ErrorKind::TooDeep));
        }
        self.depth += 1;
        self.step();
        Ok(())
    }

    /// Steps over a closing bracket.
    fn ascend(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    /// Steps over a punctuation mark and white space.
    #[inline]
    fn step(&mut self) {
        self.at += 1;
        self.skip_whitespace();
    }

    #[inline]
    fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[cold]
    fn unexpected(&self, expected: &'static str) -> Failure {
        Failure::unexpected(self.text, self.at, expected)
    }
}
