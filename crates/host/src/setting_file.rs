//! Files that a setting names.

use std::fmt::Display;
use std::fs;
use std::path::Path;

use crate::exit::SettingError;

/// Reads and parses the file that a flag names.
///
/// # Errors
/// It cannot be read, or has another shape; the error names the flag and the file.
pub fn read<T, E: Display>(
    flag: &str,
    file: &Path,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, SettingError> {
    let wrong = |problem: String| SettingError::of_flag(flag, format!("{}: {problem}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    parse(&text).map_err(|error| wrong(error.to_string()))
}
