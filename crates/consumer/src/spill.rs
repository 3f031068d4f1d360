//! Spill: records that wait for a slow destination are kept as offsets only, and read again when it has capacity.

pub(crate) mod engine;
pub(crate) mod index;
pub(crate) mod pressure;
pub(crate) mod reader;
