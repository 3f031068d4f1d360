//! The canonical form of a value: all spellings of one value have the same text.
//!
//! The form is that of [RFC 8785](https://www.rfc-editor.org/rfc/rfc8785), except for numbers: that RFC reads them as
//! doubles, so that two numbers that differ beyond a double's precision would be the same. Here a number keeps all its
//! digits: numbers have the same text exactly where they are equal. Every shortest text of a double has the RFC's form.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::escape::write_string;
use super::string::unescape;
use super::value::{Kind, Value};
use super::walk::{number_end, string_end};

/// Most digits before the decimal point of a number without an exponent.
const PLAIN_DIGITS_LIMIT: usize = 21;

/// Most leading zeros after the decimal point of a number below 1 without an exponent.
const PLAIN_ZEROS_LIMIT: usize = 5;

/// Appends the canonical form of a value, in time linear in its size.
pub fn write_canonical(out: &mut Vec<u8>, value: &Value<'_>) {
    Writer { text: value.raw(), at: 0, out }.value();
}

/// The order of names in the canonical form: by UTF-16 code units (RFC 8785, section 3.2.3).
///
/// UTF-8 sorts by code points. The two differ only between the characters from U+E000 to U+FFFF and those beyond, whose
/// surrogates are smaller.
pub fn canonical_order(left: &str, right: &str) -> Ordering {
    if left.is_ascii() || right.is_ascii() {
        return left.cmp(right);
    }
    let weight = |byte: u8| if matches!(byte, 0xEE | 0xEF) { byte + 0x10 } else { byte };
    left.bytes().map(weight).cmp(right.bytes().map(weight))
}

/// Rewrites a valid text in canonical form.
struct Writer<'t, 'o> {
    text: &'t str,
    at: usize,
    out: &'o mut Vec<u8>,
}

impl<'t> Writer<'t, '_> {
    fn value(&mut self) {
        match self.peek() {
            Some(b'"') => drop(self.string()),
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b't' | b'n') => self.copy_to(self.at + "true".len()),
            Some(b'f') => self.copy_to(self.at + "false".len()),
            _ => self.number(),
        }
    }

    /// The next byte that is neither white space nor a separator.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match *self.text.as_bytes().get(self.at)? {
                b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    fn copy_to(&mut self, end: usize) {
        self.out.extend_from_slice(self.text.as_bytes().get(self.at..end).unwrap_or_default());
        self.at = end;
    }

    /// Writes a string; returns its unescaped text.
    fn string(&mut self) -> Cow<'t, str> {
        let end = string_end(self.text.as_bytes(), self.at);
        let inside = self.text.get(self.at + 1..end - 1).unwrap_or_default();
        if inside.contains('\\') {
            let plain = unescape(inside);
            write_string(self.out, &plain);
            self.at = end;
            return Cow::Owned(plain);
        }
        self.copy_to(end);
        Cow::Borrowed(inside)
    }

    fn number(&mut self) {
        let (end, kind) = number_end(self.text.as_bytes(), self.at);
        let raw = self.text.get(self.at..end).unwrap_or_default();
        // Fast path: nearly all numbers are canonical, except for trailing zeros of a fraction.
        let plain = match kind {
            Kind::Integer => Some(raw).filter(|raw| raw.len() <= PLAIN_DIGITS_LIMIT && *raw != "-0"),
            _ => plain_decimal(raw),
        };
        match plain {
            Some(plain) => self.out.extend_from_slice(plain.as_bytes()),
            None => write_number(self.out, raw),
        }
        self.at = end;
    }

    fn array(&mut self) {
        self.at += 1;
        self.out.push(b'[');
        let mut is_first = true;
        while self.peek().is_some_and(|byte| byte != b']') {
            if !std::mem::take(&mut is_first) {
                self.out.push(b',');
            }
            self.value();
        }
        self.at += 1;
        self.out.push(b']');
    }

    fn object(&mut self) {
        self.at += 1;
        self.out.push(b'{');
        let start = self.out.len();
        let mut members = Vec::new();
        while self.peek().is_some_and(|byte| byte != b'}') {
            if !members.is_empty() {
                self.out.push(b',');
            }
            let from = self.out.len() - start;
            let name = self.string();
            self.out.push(b':');
            self.value();
            members.push((name, from..self.out.len() - start));
        }
        if !members.is_sorted_by(|(left, _), (right, _)| canonical_order(left, right).is_le()) {
            members.sort_unstable_by(|(left, _), (right, _)| canonical_order(left, right));
            let unsorted = self.out.split_off(start);
            for (_, range) in members {
                if self.out.len() > start {
                    self.out.push(b',');
                }
                self.out.extend_from_slice(&unsorted[range]);
            }
        }
        self.at += 1;
        self.out.push(b'}');
    }
}

/// The canonical form of a number that neither has an exponent nor needs one, such as `49.90`.
fn plain_decimal(raw: &str) -> Option<&str> {
    let (whole, fraction) = raw.split_once('.')?;
    let is_plain = match whole {
        "0" | "-0" => fraction.bytes().take(PLAIN_ZEROS_LIMIT + 1).any(|digit| digit != b'0'),
        _ => whole.len() <= PLAIN_DIGITS_LIMIT,
    };
    let has_exponent = fraction.bytes().any(|byte| !byte.is_ascii_digit());
    (is_plain && !has_exponent).then(|| raw.trim_end_matches('0').trim_end_matches('.'))
}

/// Writes a number without superfluous zeros, with decimal point and exponent by RFC 8785, section 3.2.2.3
/// (`Number::toString` of ECMAScript).
fn write_number(out: &mut Vec<u8>, raw: &str) {
    let (sign, unsigned) = raw.strip_prefix('-').map_or(("", raw), |unsigned| ("-", unsigned));
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [whole, fraction].concat();
    let significant = all.trim_start_matches('0');
    let digits = significant.trim_end_matches('0');
    if digits.is_empty() {
        // Also -0, which is the same number.
        return out.push(b'0');
    }
    // An accepted number with an exponent beyond 32 bits is zero as a double: it is kept as sent.
    let Some(exponent) = exponent.parse::<i32>().ok().and_then(|exponent| isize::try_from(exponent).ok()) else {
        return out.extend_from_slice(raw.as_bytes());
    };
    let leading_zeros = all.len() - significant.len();
    out.extend_from_slice(sign.as_bytes());
    write_digits(out, digits, exponent + whole.len().cast_signed() - leading_zeros.cast_signed());
}

/// Writes 0.DIGITS × 10^`point`.
fn write_digits(out: &mut Vec<u8>, digits: &str, point: isize) {
    let zeros = |out: &mut Vec<u8>, count: usize| out.resize(out.len() + count, b'0');
    match usize::try_from(point) {
        Ok(whole @ 1..=PLAIN_DIGITS_LIMIT) => {
            let (before, behind) = digits.split_at(whole.min(digits.len()));
            out.extend_from_slice(before.as_bytes());
            zeros(out, whole - before.len());
            if !behind.is_empty() {
                out.push(b'.');
                out.extend_from_slice(behind.as_bytes());
            }
        }
        _ if (-PLAIN_ZEROS_LIMIT.cast_signed()..=0).contains(&point) => {
            out.extend_from_slice(b"0.");
            zeros(out, point.unsigned_abs());
            out.extend_from_slice(digits.as_bytes());
        }
        _ => {
            let (first, rest) = digits.split_at(1);
            out.extend_from_slice(first.as_bytes());
            if !rest.is_empty() {
                out.push(b'.');
                out.extend_from_slice(rest.as_bytes());
            }
            out.extend_from_slice(format!("e{:+}", point - 1).as_bytes());
        }
    }
}
