//! Lines that are no rows, kept with reason, source and position: JSON lines, gzip.

use std::io::{self, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use crate::clean::{Quarantined, Source};
use crate::parquet::{Files, OutputFile};

/// The quarantine of one source.
pub(crate) struct Quarantine {
    path: String,
    file: GzEncoder<Box<dyn OutputFile>>,
}

/// A line of the file.
#[derive(Serialize)]
struct Entry<'a> {
    source: &'a str,
    line: u64,
    offset: u64,
    reason: &'a str,
    base64: String,
}

impl Quarantine {
    /// Begins the file of the source whose files have this name.
    pub(crate) fn create(files: &mut dyn Files, name: &str) -> io::Result<Self> {
        let path = format!("quarantine/{name}.jsonl.gz");
        let file = GzEncoder::new(files.create(&path)?, Compression::fast());
        Ok(Self { path, file })
    }

    /// Appends a line, or a piece of one.
    pub(crate) fn write(&mut self, line: Quarantined<'_>, source: &Source) -> io::Result<()> {
        let entry = Entry {
            source: &source.name,
            line: line.line,
            offset: line.offset,
            reason: line.reason.as_str(),
            base64: BASE64_STANDARD.encode(line.bytes),
        };
        serde_json::to_writer(&mut self.file, &entry)?;
        self.file.write_all(b"\n")
    }

    /// Finishes the file; returns its path.
    pub(crate) fn finish(self) -> io::Result<String> {
        self.file.finish()?.finish()?;
        Ok(self.path)
    }
}
