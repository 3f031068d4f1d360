//! What is read: plain, gzip or zstd, in UTF-8 or UTF-16, as physical lines in bounded memory.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use encoding_rs_io::{DecodeReaderBytes, DecodeReaderBytesBuilder};
use flate2::bufread::MultiGzDecoder;
use xxhash_rust::xxh3::xxh3_64;

/// The longest line that is read; longer ones are quarantined.
pub const LINE_LIMIT: usize = 1 << 20;

/// Bytes asked for at once: they are still in the processor's cache when their lines are read.
const BLOCK: usize = 256 * 1024;

/// Bytes that tell a compression or an encoding.
const MAGIC: usize = 4;

/// Bytes at the start of a line that make it text whatever follows: about as many as a time stamp has.
const TEXT_START: usize = 16;

/// A line, without its line break.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'b> {
    /// A text, and what it was decoded from where that is not UTF-8.
    Text(Cow<'b, str>, Option<&'static str>),
    /// Bytes that are no text.
    Binary(&'b [u8]),
    /// The start of a line at which reading failed.
    Cut(&'b [u8]),
    /// A piece of a line that is too long; `ends` with its last one.
    Piece { bytes: &'b [u8], ends: bool },
}

/// Reads lines.
pub(crate) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    /// The bytes read and not yet returned.
    start: usize,
    end: usize,
    /// Whether the current line is too long.
    in_long_line: bool,
    ended: bool,
    /// Offset of the next line in what was read, in bytes after decompression.
    offset: u64,
    /// The end of the last NUL in the buffer.
    nul_end: usize,
    /// Why reading ended before the input did.
    failure: Option<io::Error>,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        let buffer = vec![0; LINE_LIMIT + BLOCK];
        Self {
            input,
            buffer,
            start: 0,
            end: 0,
            in_long_line: false,
            ended: false,
            offset: 0,
            nul_end: 0,
            failure: None,
        }
    }

    /// Bytes read so far.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The error that ended the input early; the lines before it were returned.
    pub(crate) fn failure(self) -> Option<io::Error> {
        self.failure
    }

    /// The next line, or the next piece of one that is too long.
    pub(crate) fn next(&mut self) -> Option<Line<'_>> {
        let mut searched = 0;
        loop {
            let found = memchr::memchr(b'\n', self.buffer.get(self.start + searched..self.end)?);
            if let Some(at) = found {
                let length = searched + at;
                let bytes = self.start..self.start + length;
                let continues = std::mem::take(&mut self.in_long_line);
                let may_have_nul = self.start < self.nul_end;
                self.start += length + 1;
                self.offset += length as u64 + 1;
                let bytes = self.buffer.get(bytes)?;
                return Some(if continues || bytes.len() > LINE_LIMIT {
                    Line::Piece { bytes, ends: true }
                } else {
                    decode(bytes, may_have_nul)
                });
            }
            searched = self.end - self.start;
            if searched > LINE_LIMIT || self.ended {
                return self.unterminated(searched);
            }
            self.fill();
        }
    }

    /// The bytes of a line without its end: the last of the input, or a piece of one that is too long.
    fn unterminated(&mut self, length: usize) -> Option<Line<'_>> {
        if length == 0 && !self.in_long_line {
            return None;
        }
        let bytes = self.start..self.end;
        let may_have_nul = self.start < self.nul_end;
        self.start = self.end;
        self.offset += length as u64;
        let continues = std::mem::replace(&mut self.in_long_line, !self.ended);
        let bytes = self.buffer.get(bytes)?;
        if self.ended && !continues && length <= LINE_LIMIT {
            self.in_long_line = false;
            return Some(if self.failure.is_some() { Line::Cut(bytes) } else { decode(bytes, may_have_nul) });
        }
        Some(Line::Piece { bytes, ends: self.ended })
    }

    fn fill(&mut self) {
        // The same few bytes of memory are used again, unless a long line would be copied often.
        if self.end - self.start < BLOCK || self.buffer.len() - self.end < BLOCK {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.nul_end = self.nul_end.saturating_sub(self.start);
            self.start = 0;
        }
        loop {
            let free = self.buffer.get_mut(self.end..).and_then(|free| free.get_mut(..BLOCK)).unwrap_or_default();
            match self.input.read(free) {
                Ok(0) => self.ended = true,
                Ok(read) => {
                    // Few inputs have a NUL: one look at the block is cheaper than one at each line.
                    let last = memchr::memrchr(0, free.get(..read).unwrap_or_default());
                    self.nul_end = last.map_or(self.nul_end, |at| self.end + at + 1);
                    self.end += read;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.failure = Some(error);
                    self.ended = true;
                }
            }
            return;
        }
    }
}

/// A line as text, without a carriage return at its end and without NULs around it: senders end datagrams with them, and
/// files that were cut while they were open begin with them.
///
/// Loggers that cut a line cut characters, servers print what clients sent, and older programs print in one byte a character:
/// all that is text still, unless more than 30 % of it are control characters or bytes of no character (as in Perl's `-T`),
/// and it does not even begin as text.
fn decode(whole: &[u8], may_have_nul: bool) -> Line<'_> {
    let bytes = whole.strip_suffix(b"\r").unwrap_or(whole);
    let has_nul = may_have_nul && memchr::memchr(0, bytes).is_some();
    let bytes = if has_nul { without_nuls(bytes) } else { bytes };
    if let (Ok(text), false) = (simdutf8::basic::from_utf8(bytes), has_nul || !begins_as_text(bytes)) {
        return Line::Text(text.into(), None);
    }
    let text = std::str::from_utf8(bytes);
    let odd: usize = bytes
        .utf8_chunks()
        .map(|chunk| chunk.invalid().len() + chunk.valid().bytes().filter(|&byte| is_control(byte)).count())
        .sum();
    if odd * 10 > bytes.len() * 3 && !begins_as_text(bytes) {
        return Line::Binary(whole);
    }
    match text {
        Ok(text) => Line::Text(text.into(), None),
        Err(error) if error.error_len().is_none() || has_utf8(bytes) || bytes.iter().any(|&byte| is_control(byte)) => {
            Line::Text(String::from_utf8_lossy(bytes), Some("invalid utf-8"))
        }
        Err(_) => {
            let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes);
            Line::Text(text, Some("windows-1252"))
        }
    }
}

/// Whether a line is long enough, and begins with characters that are printed.
fn begins_as_text(bytes: &[u8]) -> bool {
    // All of them, without branches: the compiler makes vector instructions of it.
    bytes.first_chunk::<TEXT_START>().is_some_and(|start| {
        start.iter().fold(true, |is_text, &byte| is_text & ((byte == b'\t') | matches!(byte, b' '..=b'~')))
    })
}

fn without_nuls(bytes: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| *byte != 0;
    match (bytes.iter().position(is_text), bytes.iter().rposition(is_text)) {
        (Some(first), Some(last)) => &bytes[first..=last],
        _ => &[],
    }
}

fn is_control(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\r' | 0x0B | 0x0C | 0x1B)
}

/// Whether there is a character of several bytes in UTF-8.
fn has_utf8(bytes: &[u8]) -> bool {
    bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii())
}

type Sniffed<R> = Chain<Cursor<Vec<u8>>, R>;

/// An input with its compression and its UTF-16 taken off.
pub(crate) enum Decoded<R: BufRead> {
    Utf8(Sniffed<Decompressed<R>>),
    Utf16(Box<DecodeReaderBytes<Sniffed<Decompressed<R>>, Vec<u8>>>),
}

impl<R: BufRead> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Utf8(input) => input.read(buffer),
            Self::Utf16(input) => input.read(buffer),
        }
    }
}

/// An input with its compression taken off.
pub(crate) enum Decompressed<R: BufRead> {
    Plain(Sniffed<R>),
    Gzip(Box<MultiGzDecoder<BufReader<Sniffed<R>>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<Sniffed<R>>>>),
}

impl<R: BufRead> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(input) => input.read(buffer),
            Self::Gzip(input) => input.read(buffer),
            Self::Zstd(input) => input.read(buffer),
        }
    }
}

/// Takes off the compression and the encoding that the first bytes tell.
pub(crate) fn open<R: BufRead>(input: R) -> io::Result<Decoded<R>> {
    let (magic, input) = sniff(input)?;
    let decompressed = match *magic.as_slice() {
        [0x1F, 0x8B, ..] => Decompressed::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(BLOCK, input)))),
        // pzstd begins with a frame that says how long the next one is.
        [0x28, 0xB5, 0x2F, 0xFD] | [0x50..=0x5F, 0x2A, 0x4D, 0x18] => {
            let reader = BufReader::with_capacity(BLOCK, input);
            Decompressed::Zstd(Box::new(zstd::stream::read::Decoder::with_buffer(reader)?))
        }
        _ => Decompressed::Plain(input),
    };
    let (magic, mut input) = sniff(decompressed)?;
    Ok(match *magic.as_slice() {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => {
            let mut builder = DecodeReaderBytesBuilder::new();
            builder.bom_override(true).strip_bom(true);
            let decoder = builder.build_with_buffer(input, vec![0; BLOCK]).map_err(io::Error::other)?;
            Decoded::Utf16(Box::new(decoder))
        }
        [0xEF, 0xBB, 0xBF, ..] => {
            input.read_exact(&mut [0; 3])?;
            Decoded::Utf8(input)
        }
        _ => Decoded::Utf8(input),
    })
}

/// Lines in which one is looked for that tells a file from others.
const TELLING_LINES: usize = 100;

/// Digits of a line that tells: about as many as a date and a time have.
const TELLING_DIGITS: usize = 8;

/// A hash of the first line that is likely to have a time, else of the first line, after decompression: it tells a file from
/// another that had its name before, and stays the same while the file grows.
///
/// # Errors
///
/// Where the input cannot be read.
pub fn first_line_hash(input: impl BufRead) -> io::Result<u64> {
    let mut lines = Lines::new(open(input)?);
    let mut first = None;
    for _ in 0..TELLING_LINES {
        let Some(line) = lines.next() else { break };
        let bytes = match &line {
            Line::Text(decoded, _) => decoded.as_bytes(),
            Line::Binary(bytes) | Line::Cut(bytes) | Line::Piece { bytes, .. } => bytes,
        };
        if bytes.iter().filter(|byte| byte.is_ascii_digit()).count() >= TELLING_DIGITS {
            return Ok(xxh3_64(bytes));
        }
        first.get_or_insert(xxh3_64(bytes));
    }
    Ok(first.unwrap_or_default())
}

/// The first bytes of an input, and the input with them.
fn sniff<R: Read>(mut input: R) -> io::Result<(Vec<u8>, Sniffed<R>)> {
    let mut magic = Vec::with_capacity(MAGIC);
    input.by_ref().take(MAGIC as u64).read_to_end(&mut magic)?;
    Ok((magic.clone(), Cursor::new(magic).chain(input)))
}

#[cfg(test)]
mod tests;
