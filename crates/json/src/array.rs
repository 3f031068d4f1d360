//! Iteration over an array's elements while it is parsed.

use std::iter::FusedIterator;

use super::document::{self, Document};
use super::error::{Error, Failure};
use super::scanner::{Scanned, Scanner};

/// The elements of an array, each with its members parsed.
///
/// One pass validates and splits: an element is returned before the rest of the text is validated. The iterator ends
/// after an error; without one the whole text is valid.
#[derive(Debug)]
pub struct Array<'a> {
    scanner: Scanner<'a>,
    position: Position,
}

/// The syntax expected next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Bracket,
    Separator,
    End,
}

impl<'a> Array<'a> {
    /// Opens an array; `None` where `bytes` are another JSON value.
    ///
    /// # Errors
    ///
    /// As [`Document::parse`](super::Document::parse), where `bytes` do not begin with an array.
    pub fn open(bytes: &'a [u8]) -> Result<Option<Self>, Error> {
        let mut scanner = Scanner::new(document::text(bytes)?);
        scanner.skip_whitespace();
        if scanner.peek() == Some(b'[') {
            return Ok(Some(Self { scanner, position: Position::Bracket }));
        }
        Document::parse(bytes).map(|_| None)
    }

    fn advance(&mut self) -> Result<Option<Scanned<'a>>, Failure> {
        let more = match self.position {
            Position::Bracket => self.scanner.enter_array()?,
            Position::Separator => self.scanner.next_element()?,
            Position::End => return Ok(None),
        };
        if more {
            self.position = Position::Separator;
            return self.scanner.item().map(Some);
        }
        self.position = Position::End;
        self.scanner.end()?;
        Ok(None)
    }
}

impl<'a> Iterator for Array<'a> {
    type Item = Result<Document<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let element = self.advance().inspect_err(|_| self.position = Position::End);
        let located = element.map_err(|failure| Error::locate(failure, self.scanner.text()));
        located.transpose().map(|element| element.map(Document::from))
    }
}

impl FusedIterator for Array<'_> {}
