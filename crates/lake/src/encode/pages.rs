//! The pages of a column chunk as they stand in the file, each in memory of its own: put together they would be copied again.

use std::collections::{VecDeque, vec_deque};
use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use parquet::column::page::{CompressedPage, PageWriter as _};
use parquet::errors::Result;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};

/// Room for a page's header.
const HEADER_BYTES: usize = 64;

/// Pages with their headers.
#[derive(Debug, Default)]
pub(super) struct Pages {
    serialized: VecDeque<Bytes>,
    bytes: usize,
    /// Bytes before compression, with headers.
    uncompressed: usize,
}

impl Pages {
    /// Appends a page.
    pub(super) fn push(&mut self, page: CompressedPage) -> Result<()> {
        let page = self.serialize(page)?;
        self.serialized.push_back(page);
        Ok(())
    }

    /// Puts a page in front of all others; returns its length.
    pub(super) fn push_front(&mut self, page: CompressedPage) -> Result<usize> {
        let page = self.serialize(page)?;
        let bytes = page.len();
        self.serialized.push_front(page);
        Ok(bytes)
    }

    fn serialize(&mut self, page: CompressedPage) -> Result<Bytes> {
        let mut sink = TrackedWrite::new(Vec::with_capacity(page.compressed_size() + HEADER_BYTES));
        let written = SerializedPageWriter::new(&mut sink).write_page(page)?;
        self.bytes += written.compressed_size;
        self.uncompressed += written.uncompressed_size;
        Ok(sink.into_inner()?.into())
    }

    /// How many pages there are.
    pub(super) fn count(&self) -> usize {
        self.serialized.len()
    }

    /// Bytes of all pages.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of all pages before compression.
    pub(super) fn uncompressed(&self) -> usize {
        self.uncompressed
    }
}

impl Length for Pages {
    fn len(&self) -> u64 {
        self.bytes as u64
    }
}

impl ChunkReader for Pages {
    type T = PagesReader;

    fn get_read(&self, start: u64) -> Result<PagesReader> {
        let mut reader = PagesReader { pages: self.serialized.clone().into_iter(), page: Bytes::new() };
        io::copy(&mut reader.by_ref().take(start), &mut io::sink())?;
        Ok(reader)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let mut bytes = vec![0; length];
        self.get_read(start)?.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// Reads pages one after the other.
#[derive(Debug)]
pub(super) struct PagesReader {
    pages: vec_deque::IntoIter<Bytes>,
    page: Bytes,
}

impl Read for PagesReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.page.is_empty() {
            self.page = self.pages.next().unwrap_or_default();
        }
        let count = buffer.len().min(self.page.len());
        self.page.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
