//! Raw log objects to clean rows, as a Lambda function: what `millrace dev` does for its folder.
//!
//! Event: messages of a queue, each with S3's event `Object Created` as `EventBridge` sends it, or such an event itself. Of
//! messages, those whose object cannot be cleaned now fail alone (`batchItemFailures`) and come again; an object that can never
//! be cleaned is reported on the bus, and its message is done.

mod handle;
mod settings;

pub use handle::{Context, handle};
pub use settings::Settings;
