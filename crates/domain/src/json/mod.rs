//! Strict JSON, validated once and read in place.
//!
//! An event goes to Kafka as the bytes its sender wrote, so nothing here builds a tree and writes it out
//! again: [`Document::parse`] checks the whole text in one pass and hands out slices of it. Numbers stay
//! digits, and a member's [raw text](Value::raw) is exactly what was sent.
//!
//! The grammar is [RFC 8259](https://www.rfc-editor.org/rfc/rfc8259), narrowed where that leaves a choice on
//! which readers disagree, in the spirit of I-JSON ([RFC 7493](https://www.rfc-editor.org/rfc/rfc7493)):
//!
//! - UTF-8 without a byte order mark;
//! - no two members of an object with the same name, compared after unescaping, at any level;
//! - at most [`MAX_DEPTH`] levels of nesting;
//! - numbers that a double can hold: `1e999` is refused; `1e-999`, which rounds to zero, is not;
//! - no `\u` escape of half a surrogate pair, which stands for no character. `\u0000` does, and is accepted.

mod array;
mod canonical;
mod document;
mod error;
mod escape;
mod names;
mod number;
mod scanner;
mod string;
mod value;
mod walk;

pub use array::Array;
pub use canonical::{canonical_order, write_canonical};
pub use document::Document;
pub use error::{Error, ErrorKind};
pub use escape::{escape, write_string};
pub use value::{Kind, Value};
pub use walk::{Elements, Members};

/// The deepest nesting accepted: an array in an array counts two levels.
pub const MAX_DEPTH: usize = 128;

#[cfg(test)]
mod tests;
