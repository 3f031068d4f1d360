//! Numbers: their grammar, and the range of a double.

use super::error::{ErrorKind, Failure, quote};
use super::value::Kind;

/// A number with at most this many digits before the point is below the largest double, about 1.8 × 10³⁰⁸.
const SAFE_DIGITS: usize = 308;

/// Validates the number at `start`; returns the offset after it and its kind.
pub(super) fn scan(text: &str, start: usize) -> Result<(usize, Kind), Failure> {
    let bytes = text.as_bytes();
    let first = start + usize::from(bytes.get(start) == Some(&b'-'));
    let mut at = digits(text, first)?;
    let whole = at - first;
    if whole > 1 && bytes[first] == b'0' {
        return Err(Failure::new(first, ErrorKind::LeadingZero));
    }

    let mut kind = Kind::Integer;
    if bytes.get(at) == Some(&b'.') {
        kind = Kind::Float;
        at = digits(text, at + 1)?;
    }
    let mut in_range = whole <= SAFE_DIGITS;
    if let Some(b'e' | b'E') = bytes.get(at) {
        kind = Kind::Float;
        let signed = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = digits(text, at + 1 + usize::from(signed))?;
        in_range = false;
    }
    // Conversion is the expensive part: only where the number of digits does not decide.
    if !in_range && !text[start..at].parse::<f64>().is_ok_and(f64::is_finite) {
        return Err(Failure::new(start, ErrorKind::NumberOutOfRange(quote(&text[start..at]))));
    }
    Ok((at, kind))
}

/// The offset after one or more digits.
#[inline]
fn digits(text: &str, start: usize) -> Result<usize, Failure> {
    let rest = text.as_bytes().get(start..).unwrap_or_default();
    match rest.iter().take_while(|byte| byte.is_ascii_digit()).count() {
        0 => Err(Failure::unexpected(text, start, "a digit")),
        count => Ok(start + count),
    }
}
