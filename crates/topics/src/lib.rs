//! Makes a broker's topics those of a catalogue: what `millrace topics apply` and the function `topics` share.

mod apply;
mod create;
mod error;
mod report;

pub use apply::{ApplyOptions, apply};
pub use create::create;
pub use error::TopicsError;
pub use report::{Outcome, Report};
