//! Metrics of cleaned rows, and alerts, as a Lambda function: what `millrace dev` does for its folder.
//!
//! Events: messages of a queue, each with S3's event `Object Created` of a file of rows, or such an event itself: its hour is counted.
//! And a schedule's event, once a minute: what is unusual of the metrics is told on the bus.

mod handle;
mod settings;

pub use handle::{Context, handle};
pub use settings::Settings;
