//! The grammar: one pass over the text, by recursive descent bounded by [`MAX_DEPTH`].

use std::borrow::Cow;

use super::error::{ErrorKind, Failure};
use super::names::{Mark, Names};
use super::value::{Kind, Value};
use super::{MAX_DEPTH, number, string};

/// Initial capacity for an object's members: one allocation for most events.
pub(super) const TYPICAL_MEMBERS: usize = 8;

/// A scanned value: the whole text, or an element of the outermost array.
#[derive(Debug)]
pub(super) struct Scanned<'a> {
    /// The value.
    pub(super) root: Value<'a>,
    /// Its members, if it is an object.
    pub(super) members: Vec<(Cow<'a, str>, Value<'a>)>,
}

/// Validates a whole text.
pub(super) fn scan(text: &str) -> Result<Scanned<'_>, Failure> {
    let mut scanner = Scanner::new(text);
    scanner.skip_whitespace();
    if scanner.peek().is_none() {
        return Err(Failure::new(scanner.at, ErrorKind::Empty));
    }
    let item = scanner.item()?;
    scanner.end()?;
    Ok(item)
}

#[derive(Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    /// Offset of the next byte.
    at: usize,
    /// Number of open arrays and objects.
    depth: usize,
    names: Names<'a>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0, names: Names::default() }
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// Scans a value, and keeps its members.
    pub(super) fn item(&mut self) -> Result<Scanned<'a>, Failure> {
        let (text, start) = (self.text, self.at);
        let mut members = Vec::new();
        let kind = if self.peek() == Some(b'{') {
            members.reserve(TYPICAL_MEMBERS);
            let object = self.object(|name, value| members.push((name.clone(), value)))?;
            self.names.forget(object);
            Kind::Object
        } else {
            self.value()?
        };
        Ok(Scanned { root: Value::new(&text[start..self.at], kind), members })
    }

    /// Checks that only white space is left.
    pub(super) fn end(&mut self) -> Result<(), Failure> {
        self.skip_whitespace();
        if self.at < self.text.len() {
            return Err(self.unexpected("the end of the text"));
        }
        Ok(())
    }

    /// Scans a value.
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

    /// Scans an object, and reports each member. Its names are kept from the returned mark on.
    fn object(&mut self, mut member: impl FnMut(&Cow<'a, str>, Value<'a>)) -> Result<Mark, Failure> {
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
            if let Some(name) = self.names.last() {
                member(name, Value::new(&self.text[start..self.at], kind));
            }
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

    /// Scans a member's name, the colon, and white space.
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

    /// Scans an array.
    fn array(&mut self) -> Result<(), Failure> {
        let mut more = self.enter_array()?;
        while more {
            self.value()?;
            more = self.next_element()?;
        }
        Ok(())
    }

    /// Scans an array's opening bracket, and the closing one of an empty array; returns whether an element follows.
    pub(super) fn enter_array(&mut self) -> Result<bool, Failure> {
        self.descend()?;
        let is_empty = self.peek() == Some(b']');
        if is_empty {
            self.ascend();
        }
        Ok(!is_empty)
    }

    /// Scans the comma or closing bracket after an element; returns whether another element follows.
    pub(super) fn next_element(&mut self) -> Result<bool, Failure> {
        self.skip_whitespace();
        match self.peek() {
            Some(b',') => {
                self.step();
                Ok(true)
            }
            Some(b']') => {
                self.ascend();
                Ok(false)
            }
            _ => Err(self.unexpected("a comma or the array's end")),
        }
    }

    /// Scans an opening bracket and white space.
    fn descend(&mut self) -> Result<(), Failure> {
        if self.depth == MAX_DEPTH {
            return Err(Failure::new(self.at, ErrorKind::TooDeep));
        }
        self.depth += 1;
        self.step();
        Ok(())
    }

    /// Scans a closing bracket.
    fn ascend(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    /// Scans a punctuation mark and white space.
    #[inline]
    fn step(&mut self) {
        self.at += 1;
        self.skip_whitespace();
    }

    #[inline]
    pub(super) fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[cold]
    fn unexpected(&self, expected: &'static str) -> Failure {
        Failure::unexpected(self.text, self.at, expected)
    }
}
