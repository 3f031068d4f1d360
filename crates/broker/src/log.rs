//! The end of a log file, for error messages.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// Bytes read from the end of a file.
const TAIL_BYTES: u64 = 16 * 1024;
const TAIL_LINES: usize = 20;

/// The last lines of the file, or why it has none.
pub(crate) fn tail(path: &Path) -> String {
    match last_lines(path) {
        Ok(lines) if lines.is_empty() => format!("({} is empty)", path.display()),
        Ok(lines) => lines,
        Err(error) => format!("({}: {error})", path.display()),
    }
}

fn last_lines(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_tail_has_the_last_lines_of_a_long_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broker.log");
        let lines: Vec<String> = (0..5_000).map(|n| format!("line {n}")).collect();
        fs::write(&path, lines.join("\n")).unwrap();
        assert_eq!(tail(&path), lines[5_000 - TAIL_LINES..].join("\n"));
    }

    #[test]
    fn a_tail_of_a_missing_or_empty_file_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broker.log");
        assert!(tail(&path).contains("broker.log"));
        fs::write(&path, "").unwrap();
        assert!(tail(&path).contains("broker.log is empty"));
    }
}
