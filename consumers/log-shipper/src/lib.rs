//! The consumer that ships logs: topic `raw-logs` → an Amazon Data Firehose stream, a bucket or a folder.
//!
//! | module | its one idea |
//! |---|---|
//! | `line` | a record as a line |
//! | `shipper` | writes batches of lines to the sink |
//! | `sink::objects` | a batch is an object, named by where it begins |
//! | `sink::packing` | lines packed into the entries and calls that Firehose takes |
//! | `sink::firehose` | sends entries, those that failed again |
//! | `settings` | what a user can set |
//! | `app` | start-up, for every host |
//!
//! Offsets are committed once the sink has taken all lines up to there: at least once. An object's name and place are
//! those of its first record, and it is written once: what comes again is not shipped again. In a Firehose stream lines may
//! repeat; each has its event's id.

mod app;
mod line;
mod settings;
mod shipper;
mod sink;

pub use line::Line;
pub use settings::{Compression, Destination, Settings};
pub use shipper::LogShipper;

use std::path::{Path, PathBuf};

use millrace_consumer::Subscription;
use millrace_domain::event;

/// The consumer's name.
pub const NAME: &str = "log-shipper";

/// The folder of raw objects in the lake.
pub const RAW: &str = "raw";

/// The lake in a data directory: the destination where none is named.
pub fn lake_folder(data_dir: &Path) -> PathBuf {
    data_dir.join("lake")
}

/// The topic it reads, and its consumer group.
pub fn subscription() -> Subscription {
    Subscription::new(NAME, &[event::LOG.topic])
}
