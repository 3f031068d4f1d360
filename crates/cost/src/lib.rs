//! What Millrace costs on AWS: a model of the bill, from a workload, an installation and a region's prices.
//!
//! It counts what AWS bills for what `infra/` makes. What it assumes about Millrace is in the constants of `model.rs`; what AWS asks is in
//! `prices.json`, and the installations of `infra/examples` in `installations.json`.
//!
//! A month has 730 hours, as in AWS's own calculator. Storage and logs are counted in units of 2^30 bytes, traffic too.

mod backfill;
mod crossover;
mod estimate;
mod installation;
mod model;
mod prices;
mod workload;

pub use backfill::Backfill;
pub use crossover::crossover;
pub use estimate::{Estimate, Item, Stage};
pub use installation::{Edge, Installation, example, examples};
pub use model::{CostError, estimate};
pub use prices::{PriceBook, PriceError, Prices, Tier};
pub use workload::{Kind, Workload};
