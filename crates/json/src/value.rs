//! A value of a validated text.

use std::borrow::Cow;

use super::string::unescape;
use super::walk::{Elements, Members};

/// The types of JSON values; numbers are integers or floats by their spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number without fraction and exponent, of any length; `-0` is one.
    Integer,
    /// A number with a fraction or an exponent, also of an integral value (`1.0`, `1e3`).
    Float,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// A value of a validated text: a slice of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    raw: &'a str,
    kind: Kind,
}

impl<'a> Value<'a> {
    /// `raw` must be one valid value of this kind without white space around it.
    pub(super) fn new(raw: &'a str, kind: Kind) -> Self {
        Self { raw, kind }
    }

    /// The value as sent, without white space around it.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// The value's type.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// A string's unescaped text; borrowed where it has no escapes.
    pub fn as_str(&self) -> Option<Cow<'a, str>> {
        if self.kind != Kind::String {
            return None;
        }
        let inside = self.raw.strip_prefix('"')?.strip_suffix('"')?;
        Some(if inside.contains('\\') { Cow::Owned(unescape(inside)) } else { Cow::Borrowed(inside) })
    }

    /// The digits of an integer as sent, with the sign; `-0` stays `-0`.
    pub fn as_integer(&self) -> Option<&'a str> {
        (self.kind == Kind::Integer).then_some(self.raw)
    }

    /// The value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        (self.kind == Kind::Bool).then_some(self.raw == "true")
    }

    /// The members of an object in the order sent; none for other values.
    ///
    /// Reads the text again, without validation. A document's own members are already parsed:
    /// [`Document::members`](super::Document::members).
    pub fn members(&self) -> Members<'a> {
        Members::of(*self)
    }

    /// The elements of an array; none for other values. Reads the text again, as [`Self::members`] does.
    pub fn elements(&self) -> Elements<'a> {
        Elements::of(*self)
    }

    /// An object's member of this name. Reads the text again, as [`Self::members`] does.
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        self.members().find_map(|(candidate, value)| (candidate == name).then_some(value))
    }
}
