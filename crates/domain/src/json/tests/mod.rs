//! Tests of the whole: a table of texts, the errors' words, and properties against an independent reader.

mod arrays;
mod canonical;
mod errors;
mod properties;
mod sources;
mod strict_reader;
mod table;
mod values;
