//! Strict JSON, validated in one pass and read in place; and [`lenient`], for JSON that is anybody's.
//!
//! An event's value on Kafka is the sender's own bytes, so there is no tree and no serializer: [`Document::parse`]
//! validates the whole text in one pass and returns slices of it. Numbers keep their digits, and a member's
//! [raw text](Value::raw) is exactly what was sent.
//!
//! The grammar is [RFC 8259](https://www.rfc-editor.org/rfc/rfc8259), narrowed where it leaves choices on
//! which parsers differ, similar to I-JSON ([RFC 7493](https://www.rfc-editor.org/rfc/rfc7493)):
//!
//! - UTF-8 without a byte order mark;
//! - no two members of an object with the same name, compared after unescaping, at any level;
//! - at most [`MAX_DEPTH`] levels of nesting;
//! - numbers that a double can hold: `1e999` is refused; `1e-999`, which rounds to zero, is not;
//! - no `\u` escape of a lone surrogate, which is not a character. `\u0000` is one, and accepted.

mod array;
mod canonical;
mod document;
mod error;
mod escape;
pub mod lenient;
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
pub use string::next_special;
pub use value::{Kind, Value};
pub use walk::{Elements, Members};

/// The deepest nesting accepted: an array in an array counts two levels.
pub const MAX_DEPTH: usize = 128;

#[cfg(test)]
mod tests;
