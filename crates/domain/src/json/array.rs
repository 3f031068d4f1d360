//! An array that is split while it is checked.

use std::iter::FusedIterator;

use super::document::{self, Document};
use super::error::{Error, Failure};
use super::scanner::{Scanned, Scanner};

/// The elements of a text that is an array, each with its members at hand.
///
/// One pass checks and splits: what is wrong further on is not known yet when an element is handed out. After an error
/// nothing more comes, and without one the whole text was valid.
#[derive(Debug)]
pub struct Array<'a> {
    scanner: Scanner<'a>,
    place: Place,
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Bracket,
    Separator,
    End,
}

impl<'a> Array<'a> {
    /// The array that `bytes` are; none where they are another JSON value.
    ///
    /// # Errors
    ///
    /// What is wrong with `bytes` if they do not begin as an array does; see
    /// [`Document::parse`](super::Document::parse).
    pub fn open(bytes: &'a [u8]) -> Result<Option<Self>, Error> {
        let mut scanner = Scanner::new(document::text(bytes)?);
        scanner.skip_whitespace();
        if scanner.peek() == Some(b'[') {
            return Ok(Some(Self { scanner, place: Place::Bracket }));
        }
        Document::parse(bytes).map(|_| None)
    }

    fn advance(&mut self) -> Result<Option<Scanned<'a>>, Failure> {
        let more = match self.place {
            Place::Bracket => self.scanner.enter_array()?,
            Place::Separator => self.scanner.next_element()?,
            Place::End => return Ok(None),
        };
        if more {
            self.place = Place::Separator;
            return self.scanner.item().map(Some);
        }
        self.place = Place::End;
        self.scanner.end()?;
        Ok(None)
    }
}

impl<'a> Iterator for Array<'a> {
    type Item = Result<Document<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let element = self.advance().inspect_err(|_| self.place = Place::End);
        let located = element.map_err(|failure| Error::locate(failure, self.scanner.text()));
        located.transpose().map(|element| element.map(Document::from))
    }
}

impl FusedIterator for Array<'_> {}
