//! The hours of the log lake compacted, as a Lambda function: what `millrace dev` does for its folder.
//!
//! Event: a schedule's, or any other. Hours that are over are looked at, and those with files to be merged are compacted.

mod handle;
mod settings;

pub use handle::{Context, handle};
pub use settings::Settings;
