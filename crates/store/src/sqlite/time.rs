//! Times as text: RFC 3339 in UTC, always with six decimals, so that they sort as text does.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{ColumnIndex, Row as _};

pub(super) fn text(time: Timestamp) -> String {
    format!("{time:.6}")
}

pub(super) fn read<I: ColumnIndex<SqliteRow>>(row: &SqliteRow, column: I) -> Result<Timestamp, sqlx::Error> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|error: jiff::Error| sqlx::Error::Decode(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_sort_as_their_text_does() {
        let times = ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000001Z", "2026-01-31T12:00:00.5Z"];
        let texts = times.map(|time| text(time.parse().unwrap()));
        assert_eq!(texts[0], "2026-01-31T12:00:00.000000Z");
        assert!(texts.is_sorted(), "{texts:?}");
    }
}
