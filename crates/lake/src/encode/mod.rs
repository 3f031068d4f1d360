//! Columns of a row group as Parquet's pages, encoded value by value.
//!
//! Arrow's writer takes arrays of which each text was copied, and looks each value of each row up in a dictionary by its
//! hash. Here values come from where they were read, and one that is the last row's is not looked up. Headers, metadata and
//! the file are the `parquet` crate's. Encodings are those that all readers of the lake read: PLAIN and dictionary, pages of
//! version 1.

mod bounds;
mod chunk;
mod dictionary;
mod hybrid;
mod pages;
mod zstd;

pub(crate) use chunk::{Chunk, Element, Encoded, PAGE_BYTES};
pub(crate) use zstd::Compressor;
