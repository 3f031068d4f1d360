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

/// Bytes of a source's hash.
const SOURCE_BYTES: usize = 12;

/// Ids of a source's records that have none of their own: the source's hash, the line, and the hash of the text.
#[derive(Debug)]
pub(crate) struct PlaceIds {
    source: [u8; SOURCE_BYTES],
    /// The latest id, at the end.
    id: [u8; SOURCE_BYTES + 1 + 20 + 1 + 8],
}

impl PlaceIds {
    pub(crate) fn new(source: &str) -> Self {
        let mut hash = [0; SOURCE_BYTES];
        hex(xxh3_64(source.as_bytes()), &mut hash);
        Self { source: hash, id: [0; _] }
    }

    /// The id of the record that begins in this line.
    pub(crate) fn id_of(&mut self, line: u64, text: &str) -> &str {
        let id = &mut self.id;
        // Only to tell lines of a file from those of another that had its name before: half of the hash is enough, and costs
        // half of the bytes.
        let mut at = id.len() - 8;
        hex(xxh3_64(text.as_bytes()), &mut id[at..]);
        at -= 1;
        id[at] = b'-';
        let mut rest = line;
        loop {
            at -= 1;
            id[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        at -= 1;
        id[at] = b'-';
        at -= SOURCE_BYTES;
        id[at..at + SOURCE_BYTES].copy_from_slice(&self.source);
        std::str::from_utf8(&id[at..]).unwrap_or_default()
    }
}

/// Writes as many of the lowest hex digits of a number as there is room for.
fn hex(mut number: u64, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 0xF) as usize];
        number >>= 4;
    }
}
