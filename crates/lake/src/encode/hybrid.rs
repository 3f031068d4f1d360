//! Parquet's hybrid of run lengths and packed bits: levels, and indexes into a dictionary.

/// Values of a group of packed bits; from as many on, equal ones are a run.
const GROUP: usize = 8;

/// Most groups behind one header: as many as a header of one byte can count, which is what other writers do.
const GROUPS_LIMIT: usize = 63;

/// Values of a page. Those that are all equal, as in most columns' levels, take no memory.
#[derive(Debug, Default)]
pub(super) struct Values<T> {
    first: T,
    count: usize,
    /// All of them, once they are not equal.
    all: Vec<T>,
}

impl<T: Copy + PartialEq + Into<u32>> Values<T> {
    #[inline]
    pub(super) fn push(&mut self, value: T) {
        if self.all.is_empty() {
            if self.count == 0 {
                self.first = value;
            }
            if value == self.first {
                self.count += 1;
                return;
            }
            self.all.resize(self.count, self.first);
        }
        self.count += 1;
        self.all.push(value);
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Bytes in memory.
    pub(super) fn memory(&self) -> usize {
        self.all.capacity() * size_of::<T>()
    }

    /// Appends the values, of `width` bits each, and forgets them.
    pub(super) fn encode(&mut self, width: u8, out: &mut Vec<u8>) {
        if self.all.is_empty() && self.count > 0 {
            repeat(self.first.into(), self.count, width, out);
        } else {
            encode(&self.all, width, out);
        }
        self.all.clear();
        self.count = 0;
    }
}

/// Appends values of `width` bits each.
fn encode<T: Copy + PartialEq + Into<u32>>(values: &[T], width: u8, out: &mut Vec<u8>) {
    let (mut packed, mut at) = (0, 0);
    while let Some(&first) = values.get(at) {
        let run = run_length(&values[at..]);
        if run >= GROUP || at + run == values.len() {
            pack(&values[packed..at], width, out);
            repeat(first.into(), run, width, out);
            at += run;
            packed = at;
        } else {
            at = values.len().min(at + GROUP);
        }
    }
    pack(&values[packed..], width, out);
}

/// Bits that a number takes.
pub(super) fn width_of(number: usize) -> u8 {
    u8::try_from(usize::BITS - number.leading_zeros()).unwrap_or(u8::MAX)
}

/// How many values at the start are equal.
fn run_length<T: PartialEq>(values: &[T]) -> usize {
    let Some(first) = values.first() else { return 0 };
    // Most runs are over in the first group.
    match values.iter().take(GROUP).position(|value| value != first) {
        Some(end) => end,
        None => values.iter().position(|value| value != first).unwrap_or(values.len()),
    }
}

fn repeat(value: u32, times: usize, width: u8, out: &mut Vec<u8>) {
    varint(times << 1, out);
    out.extend(value.to_le_bytes().iter().take(usize::from(width.div_ceil(8))));
}

fn pack<T: Copy + Into<u32>>(values: &[T], width: u8, out: &mut Vec<u8>) {
    let width = usize::from(width);
    for run in values.chunks(GROUP * GROUPS_LIMIT) {
        let groups = run.len().div_ceil(GROUP);
        varint(groups << 1 | 1, out);
        let end = out.len() + groups * width;
        let (mut bits, mut count) = (0_u64, 0);
        for &value in run {
            bits |= u64::from(value.into()) << count;
            count += width;
            if count >= 32 {
                out.extend_from_slice(&bits.to_le_bytes()[..4]);
                bits >>= 32;
                count -= 32;
            }
        }
        out.extend(bits.to_le_bytes().iter().take(count.div_ceil(8)));
        out.resize(end, 0);
    }
}

fn varint(mut number: usize, out: &mut Vec<u8>) {
    while number > 0x7F {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads what the format's description says.
    fn decode(mut bytes: &[u8], width: u8, count: usize) -> Vec<u32> {
        let width = usize::from(width);
        let mut values = Vec::new();
        while values.len() < count {
            let (mut header, mut shift) = (0, 0);
            while let Some((&byte, rest)) = bytes.split_first() {
                header |= usize::from(byte & 0x7F) << shift;
                shift += 7;
                bytes = rest;
                if byte < 0x80 {
                    break;
                }
            }
            if header & 1 == 0 {
                let (value, rest) = bytes.split_at(width.div_ceil(8));
                let value = value.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte));
                values.extend(std::iter::repeat_n(value, header >> 1));
                bytes = rest;
            } else {
                let (packed, rest) = bytes.split_at((header >> 1) * width);
                let bit = |at: usize| u32::from(packed[at / 8] >> (at % 8) & 1);
                values.extend(
                    (0..(header >> 1) * GROUP)
                        .map(|value| (0..width).map(|at| bit(value * width + at) << at).sum::<u32>()),
                );
                bytes = rest;
            }
        }
        assert!(bytes.is_empty() && values.len() < count + GROUP);
        values.truncate(count);
        values
    }

    proptest! {
        #[test]
        fn values_are_read_back_as_they_were(
            runs in proptest::collection::vec((0..=u32::MAX, 1..40_usize), 0..40),
            width in 0..=32_u8,
            repeats in 1..200_usize,
        ) {
            let mask = u32::try_from((1_u64 << width) - 1).expect("32 bits at most");
            let runs = runs.iter().flat_map(|&(value, times)| std::iter::repeat_n(value & mask, times % repeats + 1));
            let values: Vec<u32> = runs.collect();
            let (mut page, mut bytes) = (Values::default(), Vec::new());
            for _ in 0..2 {
                for &value in &values {
                    page.push(value);
                }
                bytes.clear();
                page.encode(width, &mut bytes);
                prop_assert_eq!(decode(&bytes, width, values.len()), values.as_slice());
            }
        }
    }

    #[test]
    fn equal_values_cost_a_header_however_many() {
        let (mut page, mut bytes) = (Values::default(), Vec::new());
        for _ in 0..20_000 {
            page.push(1_u8);
        }
        page.encode(1, &mut bytes);
        assert_eq!(bytes, [0xC0, 0xB8, 0x02, 1]);
        assert_eq!([width_of(0), width_of(1), width_of(2), width_of(255), width_of(256)], [0, 1, 2, 8, 9]);
    }
}
