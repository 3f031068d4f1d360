//! Tests of the parser: a table of texts, the error texts, and properties against an independent parser.

mod arrays;
mod canonical;
mod errors;
mod properties;
mod sources;
mod strict_reader;
mod table;
mod values;
