//! A function's zip: the same bytes for the same program.
//!
//! cargo-lambda's own has the program's modification time in it.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// How much work to make a zip smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// A second.
    Quick,
    /// Half a minute and more, for three per cent (zopfli).
    Best,
}

/// A zip with the program as `bootstrap`, which Lambda starts.
///
/// # Errors
/// The program is larger than a zip can hold.
pub(crate) fn zip(program: &[u8], effort: Effort) -> zip::result::ZipResult<Vec<u8>> {
    const EXECUTABLE: u32 = 0o755;
    // Above deflate's own nine levels: so many iterations more of zopfli.
    let level = match effort {
        Effort::Quick => 6,
        Effort::Best => 9 + 5,
    };
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(level))
        .last_modified_time(DateTime::default())
        .unix_permissions(EXECUTABLE);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", options)?;
    zip.write_all(program)?;
    Ok(zip.finish()?.into_inner())
}

/// The SHA-256 as lower-case hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_zip_holds_the_executable_and_is_the_same_each_time() {
        let program = b"a program".repeat(1_000);
        let bytes = zip(&program, Effort::Best).unwrap();
        assert_eq!(bytes, zip(&program, Effort::Best).unwrap());
        assert!(bytes.len() < program.len(), "it is compressed");

        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        assert_eq!(archive.len(), 1);
        let mut entry = archive.by_name("bootstrap").unwrap();
        assert_eq!(entry.unix_mode().map(|mode| mode & 0o777), Some(0o755));
        let mut read = Vec::new();
        entry.read_to_end(&mut read).unwrap();
        assert_eq!(read, program);
    }

    #[test]
    fn a_sum_is_written_as_digits() {
        assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
