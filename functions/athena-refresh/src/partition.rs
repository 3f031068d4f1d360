//! The partition of a table that a file belongs to.

use std::fmt;

use millrace_lake::{hour_folder, hour_of_file};

/// The tables, by their folders.
const TABLES: [&str; 2] = ["cleaned", "metrics"];

/// An hour of a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Partition {
    table: &'static str,
    /// Its folder in the lake: `TABLE/dt=YYYY-MM-DD/hour=H`.
    folder: String,
}

impl Partition {
    /// That of a file `TABLE/dt=YYYY-MM-DD/hour=H/NAME`; `None` for any other.
    pub(crate) fn of(file: &str) -> Option<Self> {
        TABLES.into_iter().find_map(|table| {
            let folder = hour_folder(table, hour_of_file(table, file)?).ok()?;
            Some(Self { table, folder })
        })
    }

    /// The statement that adds it to its table, unless the table has it
    /// ([Athena's syntax](https://docs.aws.amazon.com/athena/latest/ug/alter-table-add-partition.html)). Its texts are a table's name and
    /// digits: nothing of a file's name needs quotes.
    pub(crate) fn statement(&self, bucket: &str) -> String {
        let Self { table, folder } = self;
        let values = folder.trim_start_matches(table).trim_start_matches("/dt=");
        let (day, hour) = values.split_once("/hour=").unwrap_or_default();
        format!(
            "ALTER TABLE `{table}` ADD IF NOT EXISTS PARTITION (dt = '{day}', hour = {hour}) LOCATION 's3://{bucket}/{folder}/'"
        )
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_partition_is_its_hour() {
        let partition = Partition::of("metrics/dt=2026-01-31/hour=7/metrics.parquet").unwrap();
        assert_eq!(partition.to_string(), "metrics/dt=2026-01-31/hour=7");
        assert_eq!(
            partition.statement("lake"),
            "ALTER TABLE `metrics` ADD IF NOT EXISTS PARTITION (dt = '2026-01-31', hour = 7) \
             LOCATION 's3://lake/metrics/dt=2026-01-31/hour=7/'"
        );
        for other in
            ["raw/2026/01/31/07/a.gz", "cleaned/a.parquet", "cleaned/dt=2026-01-31'/hour=7/a", "quarantine/cleaned/x"]
        {
            assert_eq!(Partition::of(other), None, "{other}");
        }
    }
}
