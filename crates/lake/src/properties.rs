//! How columns are written as Parquet: what all readers of the lake read.

use std::io;

use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::schema::types::ColumnPath;

use crate::schema::{Column, Kind};

/// How hard pages are compressed.
pub(crate) const ZSTD_LEVEL: i32 = 1;

/// Bytes of the dictionaries of a map: more than a row group has. Beyond it pages without a dictionary would follow,
/// and of these fastparquet shows a map's keys in the place of its values, without an error.
const DICTIONARY_LIMIT: usize = 1 << 30;

/// The compression of all columns.
///
/// # Errors
///
/// Where zstd has no such level.
pub(crate) fn zstd() -> parquet::errors::Result<Compression> {
    Ok(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
}

/// The properties of a file of these columns, whose row groups are sorted by the first time among them.
///
/// # Errors
///
/// Where the compression is not in this build.
pub(crate) fn properties(columns: &[Column]) -> io::Result<WriterPropertiesBuilder> {
    let time = columns.iter().position(|column| column.kind == Kind::Time).and_then(|index| i32::try_from(index).ok());
    let sorted = time.map(|column_idx| vec![SortingColumn { column_idx, descending: false, nulls_first: false }]);
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(zstd().map_err(io::Error::other)?)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(None)
        .set_sorting_columns(sorted)
        .set_coerce_types(true);
    for column in columns {
        if column.kind == Kind::Map {
            for leaf in ["key", "value"] {
                let path = ColumnPath::new(vec![column.name.to_owned(), "key_value".to_owned(), leaf.to_owned()]);
                properties = properties
                    .set_column_dictionary_enabled(path.clone(), true)
                    .set_column_dictionary_page_size_limit(path.clone(), DICTIONARY_LIMIT)
                    .set_column_statistics_enabled(path, EnabledStatistics::None);
            }
        } else {
            let path = ColumnPath::from(column.name);
            let statistics = if column.compared { EnabledStatistics::Chunk } else { EnabledStatistics::None };
            properties = properties
                .set_column_dictionary_enabled(path.clone(), column.repeats)
                .set_column_statistics_enabled(path, statistics);
        }
    }
    Ok(properties)
}
