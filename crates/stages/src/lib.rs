//! The stages of the log lake, for every host: Lambda functions on AWS, tasks of `millrace dev` on a laptop.
//!
//! | module | its one idea |
//! |---|---|
//! | `backfill` | what a backfill has before it: raw objects, and bytes of lines |
//! | `clean` | a raw object → Parquet, records on `cleaned-logs` |
//! | `compact` | the files of an hour → few, each row once |
//! | `rows` | the files of an hour, of which compaction may just be replacing some |
//! | `manifest` | what an object became: what is replaced where it comes again |
//! | `metrics` | the rows of an hour → its metrics, records on `metrics` |
//! | `find` | where an event is in a lake, by its id |
//! | `history` | the metrics of a lake, to look at |
//! | `watch` | what is unusual of the metrics → alerts |
//! | `space` | folders and files of this machine in which a stage works |
//! | `publish` | rows as records, handed on while they are made |
//! | `stream` | records, acknowledged |
//! | `bus` | what a stage says when it has ended: to the next stage, and to people |
//! | `error` | why a stage failed, and whether it is tried again |
//!
//! A stage is given the path of an object, and may be given it again, in any order: it writes the same objects again.

mod backfill;
mod bus;
mod clean;
mod compact;
mod error;
mod find;
mod history;
mod manifest;
mod metrics;
mod publish;
mod rows;
mod space;
mod stream;
mod watch;

pub use backfill::RawObjects;
#[cfg(feature = "eventbridge")]
pub use bus::EventBridge;
pub use bus::{Bus, BusError, BusEvent, StageEvent, tell};
pub use clean::{CleanStage, Cleaned};
pub use compact::{CompactLook, CompactStage, CompactedHour};
pub use error::StageError;
pub use find::{LinePlace, RowPlace, hour_of, hours_of_object, line_by_id, rows_by_id, written};
pub use history::{counts_of, hours, metrics_of};
pub use manifest::Manifest;
pub use metrics::{Counted, MetricsStage};
pub use space::remove_left_behind;
pub use watch::{DEFAULT_QUIET, Watch, WatchSettings, hours_for};
