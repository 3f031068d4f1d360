//! Partitions of the log lake's tables, registered with Athena, as a Lambda function: for tables whose partitions are not projected.
//!
//! Event: messages of a queue, each with S3's event `Object Created` of a file below `cleaned/` or `metrics/` as `EventBridge` sends it,
//! or such an event itself. The hour of the file is a partition of its table. It is added where the table does not have it, and the
//! event is done once Athena says that the query has succeeded. So events may come in any order, and several times.

mod athena;
mod handle;
mod partition;
mod settings;

pub use handle::{Context, handle};
pub use settings::Settings;
