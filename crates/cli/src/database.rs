//! The `--database` setting and its default.

use std::path::Path;

use anyhow::Context as _;
use clap::Args;
use millrace_store::sqlite_url;

use crate::dev_file::DevFile;
use crate::discovery::BrokerArgs;

/// SQLite file in the data directory, the default of `millrace dev`.
const FILE: &str = "millrace.db";

/// `--database`, for every command that uses one.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Database")]
pub(crate) struct DatabaseArgs {
    /// PostgreSQL or SQLite, such as `postgres://USER@HOST/NAME` [default: that of the millrace dev in use]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

impl DatabaseArgs {
    /// Whether the database is named.
    pub(crate) fn is_given(&self) -> bool {
        self.database.is_some()
    }

    /// The given URL, else that of the `millrace dev` whose broker is used.
    pub(crate) fn or_that_of_dev(&self, broker: &BrokerArgs) -> Option<String> {
        let of_dev = || {
            let dev = DevFile::read(&broker.data_dir).ok()?;
            let is_used = broker.kafka.as_ref().is_none_or(|servers| *servers == dev.kafka);
            is_used.then_some(dev.database)
        };
        self.database.clone().or_else(of_dev)
    }
}

/// URL of the SQLite file that a `millrace dev` left in the data directory; `None` where there is none.
pub(crate) fn left_in_data_dir(data_dir: &Path) -> anyhow::Result<Option<String>> {
    data_dir.join(FILE).is_file().then(|| in_data_dir(data_dir)).transpose()
}

/// URL of the SQLite file in the data directory.
pub(crate) fn in_data_dir(data_dir: &Path) -> anyhow::Result<String> {
    let path = std::path::absolute(data_dir.join(FILE));
    Ok(sqlite_url(&path.with_context(|| format!("resolving the path of {FILE} in {}", data_dir.display()))?))
}
