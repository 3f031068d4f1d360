//! An event by its id: its line in a raw object, and its rows in a file.

use std::io::{self, BufReader, Read};

use parquet::data_type::{ByteArrayType, Int32Type, Int64Type};
use parquet::file::reader::ChunkReader;

use crate::input::{Line, Lines, open};
use crate::read::{ColumnValues, ReadError, Table};
use crate::schema::Kind;

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

/// The rows of a file that have this id, in the file's order. Of a file that has none, only the ids are decoded.
///
/// # Errors
/// [`ReadError`]
pub fn find_rows(file: impl ChunkReader + 'static, id: &str) -> Result<Vec<FoundRow>, ReadError> {
    let mut table = Table::open(file)?;
    if !has_id(&mut table, id)? {
        return Ok(Vec::new());
    }
    table.rewind();
    let mut ids = ColumnValues::new("id", Kind::Text);
    let (mut times, mut lines): (ColumnValues<Int64Type>, ColumnValues<Int64Type>) =
        (ColumnValues::new("time_ns", Kind::Int64), ColumnValues::new("line", Kind::Int64));
    let mut severities: ColumnValues<Int32Type> = ColumnValues::new("severity_number", Kind::Int32);
    let [mut levels, mut services, mut bodies, mut sources] =
        ["severity_text", "service", "body", "source"].map(|name| ColumnValues::new(name, Kind::Text));
    let mut found = Vec::new();
    while let Some(rows) = table.next(&mut [
        &mut ids,
        &mut times,
        &mut lines,
        &mut severities,
        &mut levels,
        &mut services,
        &mut bodies,
        &mut sources,
    ])? {
        let text = |column: &ColumnValues<ByteArrayType>, row| -> Result<Option<String>, ReadError> {
            Ok(column.text(row)?.map(str::to_owned))
        };
        for row in 0..rows {
            if ids.text(row)? == Some(id) {
                found.push(FoundRow {
                    time_ns: *times.required(row)?,
                    severity_number: severities.get(row).copied(),
                    severity_text: text(&levels, row)?,
                    service: text(&services, row)?,
                    body: text(&bodies, row)?.unwrap_or_default(),
                    source: text(&sources, row)?.unwrap_or_default(),
                    line: *lines.required(row)?,
                });
            }
        }
    }
    Ok(found)
}

/// Whether a row has this id.
fn has_id(table: &mut Table<impl ChunkReader + 'static>, id: &str) -> Result<bool, ReadError> {
    let mut ids = ColumnValues::new("id", Kind::Text);
    while let Some(rows) = table.next(&mut [&mut ids])? {
        for row in 0..rows {
            if ids.text(row)? == Some(id) {
                return Ok(true);
            }
        }
    }
    Ok(false)
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
