//! An event by its id: its line in a raw object, and its rows in a file.

use std::io::{self, BufReader, Read};

use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array as _, BooleanArray, RecordBatch, StringArray};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, ParquetRecordBatchReaderBuilder, RowFilter};
use parquet::file::reader::ChunkReader;

use crate::input::{Line, Lines, open};
use crate::read::{ReadError, numbers, texts};

/// The number of the line, from 1, that log-shipper made of the record with this id. The object may be compressed.
///
/// # Errors
/// Where it cannot be read to its end, or to the line.
pub fn find_line(object: impl Read, id: &str) -> io::Result<Option<u64>> {
    let id = serde_json::to_string(id)?;
    let begin = format!("{{\"millrace\":{{\"id\":{id},");
    let mut lines = Lines::new(open(BufReader::new(object))?);
    let mut number = 1;
    while let Some(line) = lines.next() {
        if matches!(&line, Line::Text(text, _) if text.starts_with(&begin)) {
            return Ok(Some(number));
        }
        number += u64::from(!matches!(line, Line::Piece { ends: false, .. }));
    }
    lines.failure().map_or(Ok(None), Err)
}

/// The columns of a row that say what it is and where it comes from.
const COLUMNS: [&str; 7] = ["time_ns", "severity_number", "severity_text", "service", "body", "source", "line"];

/// What a row says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRow {
    /// Its own time in Unix nanoseconds.
    pub time_ns: i64,
    /// OpenTelemetry's number, from 1 to 24.
    pub severity_number: Option<i32>,
    /// Its level as printed.
    pub severity_text: Option<String>,
    /// The program that wrote it.
    pub service: Option<String>,
    /// The message.
    pub body: String,
    /// The object or file that its line is in.
    pub source: String,
    /// Its first line there, from 1.
    pub line: i64,
}

/// The rows of a file that have this id, in the file's order. Of the others only the ids are decoded.
///
/// # Errors
/// [`ReadError`]
pub fn find_rows(file: impl ChunkReader + 'static, id: &str) -> Result<Vec<FoundRow>, ReadError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let schema = builder.parquet_schema();
    let (ids, columns) = (ProjectionMask::columns(schema, ["id"]), ProjectionMask::columns(schema, COLUMNS));
    let wanted = id.to_owned();
    let has_id = ArrowPredicateFn::new(ids, move |batch: RecordBatch| {
        let ids: &StringArray =
            batch.column_by_name("id").and_then(|ids| ids.as_any().downcast_ref()).ok_or_else(|| {
                arrow_schema::ArrowError::SchemaError("the column id is missing, or of another type".to_owned())
            })?;
        Ok(ids.iter().map(|id| Some(id == Some(wanted.as_str()))).collect::<BooleanArray>())
    });
    let reader = builder.with_projection(columns).with_row_filter(RowFilter::new(vec![Box::new(has_id)])).build()?;
    let mut found = Vec::new();
    for batch in reader {
        rows_of(&batch?, &mut found)?;
    }
    Ok(found)
}

fn rows_of(batch: &RecordBatch, found: &mut Vec<FoundRow>) -> Result<(), ReadError> {
    let (times, lines) = (numbers::<Int64Type>(batch, "time_ns")?, numbers::<Int64Type>(batch, "line")?);
    let severities = numbers::<Int32Type>(batch, "severity_number")?;
    let [levels, services, bodies, sources] =
        [texts(batch, "severity_text")?, texts(batch, "service")?, texts(batch, "body")?, texts(batch, "source")?];
    let text = |column: &StringArray, row| column.is_valid(row).then(|| column.value(row).to_owned());
    for row in 0..batch.num_rows() {
        found.push(FoundRow {
            time_ns: times.value(row),
            severity_number: severities.is_valid(row).then(|| severities.value(row)),
            severity_text: text(levels, row),
            service: text(services, row),
            body: text(bodies, row).unwrap_or_default(),
            source: text(sources, row).unwrap_or_default(),
            line: lines.value(row),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_line_is_found_by_the_id_of_its_record_and_not_by_what_it_says() {
        let long = "x".repeat(3 << 20);
        let text = format!(
            "{{\"millrace\":{{\"id\":\"a\",\"offset\":1}},\"record\":{{\"millrace\":{{\"id\":\"b\",\"offset\":1}}}}}}\n{long}\n\
             {{\"millrace\":{{\"id\":\"b\",\"offset\":2}},\"record\":1}}\n{{\"millrace\":{{\"id\":\"q\\\"\",\"offset\":3}},\"record\":1}}\n"
        );
        for object in [text.clone().into_bytes(), gzip(&text)] {
            assert_eq!(find_line(&object[..], "a").unwrap(), Some(1));
            assert_eq!(find_line(&object[..], "b").unwrap(), Some(3));
            assert_eq!(find_line(&object[..], "q\"").unwrap(), Some(4));
            assert_eq!(find_line(&object[..], "c").unwrap(), None);
        }
        let cut = gzip(&text);
        assert_eq!(find_line(&cut[..cut.len() - 20], "a").unwrap(), Some(1));
        assert!(find_line(&cut[..cut.len() - 20], "c").is_err(), "what could not be read may have it");
    }
}
