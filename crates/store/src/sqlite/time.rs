//! Timestamps as text: RFC 3339 in UTC with six decimals, so that the text sorts by time.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::str::FromStr;

use sqlx::sqlite::SqliteRow;
use sqlx::{ColumnIndex, Row as _};

pub(super) fn text(time: impl Display) -> String {
    format!("{time:.6}")
}

/// Reads a timestamp, which another program may have written.
///
/// # Errors
/// [`sqlx::Error::ColumnDecode`] where the text is not a timestamp, or out of range.
pub(super) fn read<I, T>(row: &SqliteRow, column: I) -> Result<T, sqlx::Error>
where
    I: ColumnIndex<SqliteRow> + Debug + Copy,
    T: FromStr<Err: Error + Send + Sync + 'static>,
{
    let text: &str = row.try_get(column)?;
    let failed = |error: T::Err| sqlx::Error::ColumnDecode { index: format!("{column:?}"), source: error.into() };
    text.parse().map_err(failed)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use millrace_domain::UtcDateTime;

    use super::*;

    #[test]
    fn timestamps_sort_by_their_text() {
        let times = ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000001Z", "2026-01-31T12:00:00.5Z"];
        let texts = times.map(|time| text(time.parse::<Timestamp>().unwrap()));
        assert_eq!(texts, times.map(|time| text(time.parse::<UtcDateTime>().unwrap())));
        assert_eq!(texts[0], "2026-01-31T12:00:00.000000Z");
        assert!(texts.is_sorted(), "{texts:?}");
    }
}
