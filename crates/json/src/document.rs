//! A parsed JSON text.

use std::borrow::Cow;

use super::error::{Error, ErrorKind, Failure};
use super::scanner::{self, Scanned, TYPICAL_MEMBERS};
use super::value::{Kind, Value};
use super::walk::Elements;

/// A validated JSON text, with the members of its outermost object parsed.
#[derive(Debug, Clone)]
pub struct Document<'a> {
    root: Value<'a>,
    members: Vec<(Cow<'a, str>, Value<'a>)>,
}

impl<'a> Document<'a> {
    /// Validates all of `bytes`, in time and memory linear in their number.
    ///
    /// # Errors
    ///
    /// The first violation of [the module's rules](super). In objects with many members a duplicate name is reported
    /// at the object's end.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let text = text(bytes)?;
        scanner::scan(text).map(Self::from).map_err(|failure| Error::locate(failure, text))
    }

    /// A document of a value that was validated as a part of another.
    pub fn of(value: Value<'a>) -> Self {
        let mut members = Vec::new();
        if value.kind() == Kind::Object {
            members.reserve(TYPICAL_MEMBERS);
            members.extend(value.members());
        }
        Self { root: value, members }
    }

    /// The outermost value.
    pub fn root(&self) -> Value<'a> {
        self.root
    }

    /// The type of the outermost value.
    pub fn kind(&self) -> Kind {
        self.root.kind()
    }

    /// The members of the outermost object in the order they were written; none for other texts.
    pub fn members(&self) -> impl ExactSizeIterator<Item = (&Cow<'a, str>, &Value<'a>)> {
        self.members.iter().map(|(name, value)| (name, value))
    }

    /// The outermost object's member of this name.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.members().find_map(|(candidate, value)| (candidate == name).then_some(value))
    }

    /// The elements of the outermost array; none for other texts.
    ///
    /// Reads the text again, as [`Value::elements`]: a list of the elements would take many times the memory of a text
    /// like `[0,0,0]`.
    pub fn elements(&self) -> Elements<'a> {
        self.root.elements()
    }
}

impl<'a> From<Scanned<'a>> for Document<'a> {
    fn from(Scanned { root, members }: Scanned<'a>) -> Self {
        Self { root, members }
    }
}

/// The bytes as text; an error unless they are UTF-8 without a byte order mark.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Error> {
    const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

    if bytes.starts_with(BYTE_ORDER_MARK) {
        return Err(Error::locate(Failure::new(0, ErrorKind::ByteOrderMark), ""));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        Error::locate(Failure::new(error.valid_up_to(), ErrorKind::InvalidUtf8), valid)
    })
}
