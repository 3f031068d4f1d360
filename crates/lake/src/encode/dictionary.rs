//! The dictionary of a column chunk.

use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;

/// Places of a set: a value is in one of those that its hash names.
const SET: usize = 4;

/// Most places. All of them stay in the processor's cache, where an index of all values of a large column would not.
const PLACES_LIMIT: usize = 1 << 15;

/// Values in the order in which they were first met, and their indexes.
///
/// Where there are very many different ones, not all are found again. One that is not is in the dictionary twice, which costs
/// a few bytes of the file: to look for it would cost more than all else that is done with the value.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    /// The values in the PLAIN encoding.
    page: Vec<u8>,
    entries: Vec<Entry>,
    places: Vec<[Place; SET]>,
    /// The same in each process: equal rows are equal bytes, since what is found again depends on it. Whoever chooses values that meet in
    /// one set gains nothing but a larger dictionary.
    hasher: FixedState,
}

/// Where a value begins in the page, and its length.
#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u32,
    length: u32,
}

/// A value that is found again: its index, and above it a part of its hash.
type Place = u32;

const FREE: Place = Place::MAX;

/// Bits of the index. What would have a larger one is not found again.
const INDEX_BITS: u32 = 24;

const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;

impl Dictionary {
    /// The index of a value; `prefix` is what the PLAIN encoding has in front of it.
    #[inline]
    pub(super) fn index_of(&mut self, prefix: &[u8], value: &[u8]) -> u32 {
        let hash = low(self.hasher.hash_one(value));
        if let Some(set) = self.places.get(set_of(hash, self.places.len())) {
            for place in set {
                if (place ^ hash) >> INDEX_BITS == 0 && self.is(place & INDEX_MASK, value) {
                    return place & INDEX_MASK;
                }
            }
        }
        let index = self.append(prefix, value);
        if index < INDEX_MASK {
            self.remember(hash, index);
        }
        index
    }

    /// Appends a value without looking for it; returns its index. It is found again only if the places grow later.
    #[inline]
    pub(super) fn append(&mut self, prefix: &[u8], value: &[u8]) -> u32 {
        let index = size(self.entries.len());
        self.page.extend_from_slice(prefix);
        self.entries.push(Entry { start: size(self.page.len()), length: size(value.len()) });
        self.page.extend_from_slice(value);
        index
    }

    fn remember(&mut self, hash: u32, index: u32) {
        loop {
            let count = self.places.len();
            if let Some(set) = self.places.get_mut(set_of(hash, count)) {
                let replaced = index as usize % SET;
                let free = set.iter().position(|&place| place == FREE);
                if let Some(at) = free.or_else(|| (count * SET >= PLACES_LIMIT).then_some(replaced)) {
                    set[at] = hash & !INDEX_MASK | index;
                    return;
                }
            }
            self.places = vec![[FREE; SET]; (count * 2).max(1)];
            for earlier in 0..index {
                if let Some(hash) = self.bytes_of(earlier).map(|value| low(self.hasher.hash_one(value))) {
                    self.remember(hash, earlier);
                }
            }
        }
    }

    /// Whether the value at an index is this one.
    #[inline]
    pub(super) fn is(&self, index: u32, value: &[u8]) -> bool {
        self.bytes_of(index).is_some_and(|bytes| is_equal(bytes, value))
    }

    #[inline]
    fn bytes_of(&self, index: u32) -> Option<&[u8]> {
        let entry = self.entries.get(index as usize)?;
        self.page.get(entry.start as usize..)?.get(..entry.length as usize)
    }

    /// Forgets all values; its memory is used again.
    pub(super) fn clear(&mut self) {
        self.page.clear();
        self.entries.clear();
        self.places.fill([FREE; SET]);
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The values in the PLAIN encoding.
    pub(super) fn page(&self) -> &[u8] {
        &self.page
    }

    /// Bytes in memory.
    pub(super) fn memory(&self) -> usize {
        self.page.capacity() + self.entries.capacity() * size_of::<Entry>() + size_of_val(self.places.as_slice())
    }
}

/// Whether two texts are equal. Most are short: they are compared as two words, which may overlap.
#[inline]
fn is_equal(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && match left.len() {
            8..=16 => left.first_chunk::<8>() == right.first_chunk() && left.last_chunk::<8>() == right.last_chunk(),
            4..8 => left.first_chunk::<4>() == right.first_chunk() && left.last_chunk::<4>() == right.last_chunk(),
            _ => left == right,
        }
}

/// The set that a hash names among as many, which are a power of two.
fn set_of(hash: u32, count: usize) -> usize {
    hash as usize & count.wrapping_sub(1)
}

#[expect(clippy::cast_possible_truncation, reason = "a part of a hash")]
fn low(hash: u64) -> u32 {
    hash as u32
}

/// Sizes of a row group as 32 bits: it is bounded to far less than 4 GiB.
fn size(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_again_among_many() {
        let mut dictionary = Dictionary::default();
        for index in 0..1_000_u32 {
            assert_eq!(dictionary.index_of(b"-", &index.to_le_bytes()), index);
        }
        for index in 0..1_000_u32 {
            assert_eq!(dictionary.index_of(b"-", &index.to_le_bytes()), index);
        }
        assert_eq!((dictionary.len(), dictionary.page().len()), (1_000, 5_000));
        assert_eq!(&dictionary.page()[5..10], b"-\x01\0\0\0");
        dictionary.clear();
        assert_eq!(dictionary.index_of(b"", b"x"), 0);
    }

    #[test]
    fn of_very_many_values_each_is_as_it_was_and_memory_is_bounded() {
        let mut dictionary = Dictionary::default();
        for number in 0..200_000_u32 {
            let value = (number % 70_000).to_le_bytes();
            let index = dictionary.index_of(b"", &value);
            assert!(dictionary.is(index, &value));
            assert!(!dictionary.is(index, b"other"));
        }
        assert_eq!(size_of_val(dictionary.places.as_slice()), PLACES_LIMIT * size_of::<Place>());
    }
}
