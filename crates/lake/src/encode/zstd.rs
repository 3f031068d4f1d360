//! Compression of pages.

use std::io;

use bytes::Bytes;

use crate::properties::ZSTD_LEVEL;

/// Compresses pages. One serves all columns of all files of a writer, since its state takes about a megabyte.
#[derive(Default)]
pub(crate) struct Compressor {
    /// Made for the first page.
    zstd: Option<zstd::bulk::Compressor<'static>>,
    buffer: Vec<u8>,
    /// The page that is put together for it.
    pub(super) page: Vec<u8>,
}

impl Compressor {
    /// # Errors
    ///
    /// Where zstd cannot be set up.
    pub(super) fn compress(&mut self, page: &[u8]) -> io::Result<Bytes> {
        let compressor = match &mut self.zstd {
            Some(compressor) => compressor,
            none => none.insert(zstd::bulk::Compressor::new(ZSTD_LEVEL)?),
        };
        self.buffer.clear();
        self.buffer.reserve(zstd::zstd_safe::compress_bound(page.len()));
        compressor.compress_to_buffer(page, &mut self.buffer)?;
        Ok(Bytes::copy_from_slice(&self.buffer))
    }
}
