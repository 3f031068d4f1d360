//! W3C Trace Context: propagation of a caller's trace (<https://www.w3.org/TR/trace-context/>).

use std::fmt;

use rand::{Rng, RngExt};

/// A `traceparent` of version 00: the trace of an event, and its parent span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    trace_id: u128,
    parent_id: u64,
    flags: u8,
}

const SAMPLED: u8 = 1;

impl TraceParent {
    /// The context of a span: its trace, its own id, and whether it is recorded. `None` where an id is zero.
    pub fn new(trace_id: u128, span_id: u64, is_sampled: bool) -> Option<Self> {
        let flags = if is_sampled { SAMPLED } else { 0 };
        (trace_id != 0 && span_id != 0).then_some(Self { trace_id, parent_id: span_id, flags })
    }

    /// The trace.
    pub fn trace_id(self) -> u128 {
        self.trace_id
    }

    /// The trace as in log lines: 32 hexadecimal digits.
    pub fn trace_id_text(self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// The span that is the parent of what follows.
    pub fn parent_id(self) -> u64 {
        self.parent_id
    }

    /// Whether the caller may have recorded its part of the trace.
    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// Reads a header; `None` where it is invalid, which the standard treats as absent.
    pub fn parse(header: &str) -> Option<Self> {
        let (version, rest) = header.trim_ascii().split_once('-')?;
        let version = hex(version, 2)?;
        // Later versions may append fields after a dash; version 00 has exactly four.
        let fixed = rest.get(..52)?;
        let tail = &rest[52..];
        if version == 0xff || (version == 0 && !tail.is_empty()) || !(tail.is_empty() || tail.starts_with('-')) {
            return None;
        }
        let mut parts = fixed.split('-');
        let trace_id = hex(parts.next()?, 32)?;
        let parent_id = u64::try_from(hex(parts.next()?, 16)?).ok()?;
        let flags = u8::try_from(hex(parts.next()?, 2)?).ok()?;
        (parts.next().is_none() && trace_id != 0 && parent_id != 0).then_some(Self { trace_id, parent_id, flags })
    }

    /// The next hop: the same trace with a new parent, or a new sampled trace where the caller had none.
    pub fn next_hop(caller: Option<Self>, random: &mut impl Rng) -> Self {
        let parent_id = random.random_range(1..=u64::MAX);
        match caller {
            Some(caller) => Self { parent_id, ..caller },
            None => Self { trace_id: random.random_range(1..=u128::MAX), parent_id, flags: SAMPLED },
        }
    }
}

/// Reads lower-case hexadecimal of exactly `digits` digits, as the standard requires.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let lower = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() == digits && lower { u128::from_str_radix(text, 16).ok() } else { None }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&mut text[3..35], &self.trace_id.to_be_bytes());
        write_hex(&mut text[36..52], &self.parent_id.to_be_bytes());
        write_hex(&mut text[53..], &[self.flags]);
        f.write_str(str::from_utf8(&text).unwrap_or_default())
    }
}

/// Without `format!`: every record has a `traceparent`, and the standard library's padding takes five times as long.
fn write_hex(out: &mut [u8], bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";

    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xF)]]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_callers_trace_continues_with_a_new_parent_id() {
        let caller = TraceParent::parse(EXAMPLE).unwrap();
        assert_eq!(caller.to_string(), EXAMPLE);
        let next = TraceParent::next_hop(Some(caller), &mut SmallRng::seed_from_u64(1)).to_string();
        assert_eq!(next[..36], EXAMPLE[..36]);
        assert_ne!(next[36..52], EXAMPLE[36..52]);
        assert_eq!(next[52..], EXAMPLE[52..]);
    }

    proptest! {
        #[test]
        fn a_traceparent_is_written_as_the_standard_says(trace_id: u128, parent_id: u64, flags: u8) {
            let written = TraceParent { trace_id, parent_id, flags }.to_string();
            prop_assert_eq!(written, format!("00-{trace_id:032x}-{parent_id:016x}-{flags:02x}"));
        }
    }

    #[test]
    fn an_invalid_traceparent_is_treated_as_absent() {
        for header in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319cé-7ad6b7169203331-01",
        ] {
            assert_eq!(TraceParent::parse(header), None, "{header}");
        }
        assert!(TraceParent::parse("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more").is_some());
    }
}
