//! Which records were read before.
//!
//! A record with an id of its own, which the edge and the shipper give, is one wherever it occurs: of several the first
//! counts. A record without one is told by its place: source, line and content together. So two equal lines that a
//! program wrote twice stay two rows, and the same object cleaned again makes the same rows again.

use std::collections::{HashSet, VecDeque};

use foldhash::fast::FixedState;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// Ids that are remembered: about 50 MB of memory at most. A redelivered record follows its first delivery closely.
const WINDOW: usize = 1 << 20;

/// The ids of the latest records.
#[derive(Debug)]
pub(crate) struct RecentIds {
    seen: HashSet<u128, FixedState>,
    order: VecDeque<u128>,
}

impl Default for RecentIds {
    fn default() -> Self {
        Self { seen: HashSet::with_hasher(FixedState::default()), order: VecDeque::new() }
    }
}

impl RecentIds {
    /// Remembers an id; false where it is remembered already. Ids are compared by 128 bits of their hash.
    pub(crate) fn insert(&mut self, id: &str) -> bool {
        let hash = xxh3_128(id.as_bytes());
        if !self.seen.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > WINDOW
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }
}

/// Writes the id of a record that has none to `id`: the source's hash, the line, and the hash of the text.
pub(crate) fn id_of(source: &str, line: u64, text: &str, id: &mut String) {
    id.clear();
    hex(xxh3_64(source.as_bytes()), 12, id);
    id.push('-');
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = line;
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    id.extend(digits[at..].iter().map(|&digit| char::from(digit)));
    id.push('-');
    // Only to tell lines of a file from those of another that had its name before: half of the hash is enough, and costs
    // half of the bytes.
    hex(xxh3_64(text.as_bytes()), 8, id);
}

/// Writes the lowest `digits` hex digits of a number.
fn hex(number: u64, digits: u32, text: &mut String) {
    for shift in (0..digits).rev() {
        let digit = u32::try_from((number >> (shift * 4)) & 0xF).unwrap_or_default();
        text.push(char::from_digit(digit, 16).unwrap_or('0'));
    }
}
