//! The log lake: raw log lines to clean rows in Parquet.
//!
//! [`clean`] reads an object of any log format in bounded memory and hands rows to a [`Sink`]; [`LakeWriter`] is the sink
//! that writes them as Parquet, partitioned by the hour of their own time.

pub mod anomaly;
mod batch;
mod clean;
mod columns;
pub mod compact;
mod dedupe;
mod draft;
mod duration;
mod encode;
mod exception;
mod find;
mod folder;
mod formats;
mod hour;
mod input;
pub mod metrics;
mod parquet;
mod properties;
mod quarantine;
mod read;
mod report;
mod scan;
mod schema;
mod severity;
mod stamp;
mod view;

pub use batch::Batch;
pub use clean::{CleanError, Quarantined, Reason, Sink, Source, clean};
pub use find::{FoundRow, find_line, find_rows};
pub use folder::{Folder, folders};
pub use formats::format_names;
pub use hour::{hour_folder, hour_of_file};
pub use input::{LINE_LIMIT, first_line_hash};
pub use parquet::{Files, LakeWriter, OutputFile, file_name};
pub use read::ReadError;
pub use report::Report;
pub use schema::schema;
pub use severity::Severity;
pub use stamp::{Stamp, TimeSource};
pub use view::{Attributes, RowView};
