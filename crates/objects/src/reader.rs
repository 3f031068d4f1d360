//! An object that is read where reading blocks: parsers are not asynchronous.

use std::io::{self, Read};

use bytes::Bytes;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use object_store::{GetResult, GetResultPayload, ObjectMeta};
use tokio::sync::mpsc;

use crate::READ_TIMEOUT;

/// How many blocks of a stream wait to be read.
const BLOCKS: usize = 4;

/// An object, opened.
#[derive(Debug)]
pub struct Object {
    /// When it was written.
    pub written: Timestamp,
    /// Tells its content from what was and will be under its path.
    pub version: String,
    /// Reads it.
    pub reader: ObjectReader,
}

/// An object, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// When it was written.
    pub written: Timestamp,
    /// Its size.
    pub bytes: u64,
    /// Tells its content from what was and will be under its path.
    pub version: String,
}

impl Listed {
    pub(crate) fn of(meta: &ObjectMeta) -> Self {
        Self { written: written(meta), bytes: meta.size, version: version(meta) }
    }
}

/// Reads an object; blocks, and is for a thread that may.
#[derive(Debug)]
pub struct ObjectReader(Source);

#[derive(Debug)]
enum Source {
    File(std::fs::File),
    Stream { blocks: mpsc::Receiver<io::Result<Bytes>>, block: Bytes, failed: bool },
}

impl Object {
    pub(crate) fn of(found: GetResult) -> Self {
        let version = version(&found.meta);
        let written = written(&found.meta);
        let source = match found.payload {
            GetResultPayload::File(file, _) => Source::File(file),
            GetResultPayload::Stream(mut stream) => {
                let (sender, blocks) = mpsc::channel(BLOCKS);
                tokio::spawn(async move {
                    // Only the store's time counts, not the reader's.
                    while let Some(block) = match tokio::time::timeout(READ_TIMEOUT, stream.next()).await {
                        Ok(block) => block.map(|block| block.map_err(io::Error::other)),
                        Err(_) => Some(Err(io::ErrorKind::TimedOut.into())),
                    } {
                        let is_last = block.is_err();
                        if sender.send(block).await.is_err() || is_last {
                            break;
                        }
                    }
                });
                Source::Stream { blocks, block: Bytes::new(), failed: false }
            }
        };
        Self { written, version, reader: ObjectReader(source) }
    }
}

/// When an object was written.
fn written(meta: &ObjectMeta) -> Timestamp {
    Timestamp::from_millisecond(meta.last_modified.timestamp_millis()).unwrap_or_default()
}

/// The entity tag, which a store has for the content; with the time, since a folder has none.
pub(crate) fn version(meta: &ObjectMeta) -> String {
    let tag = meta.e_tag.as_deref().unwrap_or_default().trim_matches('"');
    if tag.is_empty() { format!("{}-{}", meta.size, meta.last_modified.timestamp_micros()) } else { tag.to_owned() }
}

impl ObjectReader {
    /// Whether the store broke off: what was read is not all, and its end is none of the object's.
    pub fn has_failed(&self) -> bool {
        matches!(self.0, Source::Stream { failed: true, .. })
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Source::File(file) => file.read(buffer),
            Source::Stream { blocks, block, failed } => {
                while block.is_empty() {
                    match blocks.blocking_recv() {
                        Some(Ok(next)) => *block = next,
                        Some(Err(error)) => {
                            *failed = true;
                            return Err(error);
                        }
                        None => return Ok(0),
                    }
                }
                let count = block.len().min(buffer.len());
                buffer[..count].copy_from_slice(&block.split_to(count));
                Ok(count)
            }
        }
    }
}
