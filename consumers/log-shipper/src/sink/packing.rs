//! Lines packed into the entries and calls that Firehose takes.
//!
//! Firehose bills each record of its own, here called entry, in steps of 5 KB, and takes at most 1,000 KiB in one, and 500
//! of them or 4 MiB in one call of `PutRecordBatch` (Amazon Data Firehose Developer Guide, "Quota"; API Reference,
//! "`PutRecordBatch`").

use crate::line::Line;

/// The size at which an entry is full. The last step of 5 KB is 1 % of it on average; larger ones would make a stream that
/// is throttled take less.
const ENTRY_BYTES: usize = 256 << 10;

/// The most that an entry may have, of one line.
pub(crate) const ENTRY_LIMIT: usize = 1_000 << 10;

/// The most entries of a call.
const CALL_ENTRIES: usize = 500;

/// The most bytes of a call. Four MiB would be within the quota only if it counted the bytes before their base64.
const CALL_BYTES: usize = 3 << 20;

/// Lines as entries.
#[derive(Debug)]
pub(crate) struct Packed {
    /// The entries: whole lines each.
    pub(crate) entries: Vec<Vec<u8>>,
    /// The lines, by their index, that are too large for an entry. They are in none.
    pub(crate) too_large: Vec<usize>,
}

/// Packs lines into entries, in their order.
pub(crate) fn pack(lines: &[Line<'_>]) -> Packed {
    let mut packed = Packed { entries: Vec::new(), too_large: Vec::new() };
    let (mut entry, mut line) = (Vec::new(), Vec::new());
    for (index, next) in lines.iter().enumerate() {
        line.clear();
        next.write(&mut line);
        if line.len() > ENTRY_LIMIT {
            packed.too_large.push(index);
            continue;
        }
        if !entry.is_empty() && entry.len() + line.len() > ENTRY_BYTES {
            packed.entries.push(std::mem::take(&mut entry));
        }
        entry.extend_from_slice(&line);
    }
    if !entry.is_empty() {
        packed.entries.push(entry);
    }
    packed
}

/// How many of these entries, the first ones, go into the next call.
pub(crate) fn call_size(entries: &[Vec<u8>]) -> usize {
    let mut bytes = 0;
    let fits = |entry: &&Vec<u8>| {
        bytes += entry.len();
        bytes <= CALL_BYTES
    };
    entries.iter().take(CALL_ENTRIES).take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use millrace_kafka::Record;
    use proptest::prelude::*;
    use rdkafka::Timestamp;
    use rdkafka::message::OwnedMessage;

    use super::*;

    fn record(offset: i64, length: usize) -> Record<'static> {
        let value = Some("x".repeat(length).into_bytes());
        Record::from(OwnedMessage::new(value, None, "raw-logs".into(), Timestamp::NotAvailable, 0, offset, None))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn lines_are_packed_whole_and_in_order_within_the_quotas(
            lengths in proptest::collection::vec(
                prop_oneof![20 => 0usize..400, 2 => 100_000usize..300_000, 1 => ENTRY_LIMIT - 100..ENTRY_LIMIT + 100], 0..60),
        ) {
            let records: Vec<_> = (0..).zip(&lengths).map(|(offset, &length)| record(offset, length)).collect();
            let lines: Vec<_> = records.iter().map(|record| Line::read(record).unwrap()).collect();
            let Packed { entries, too_large } = pack(&lines);
            let mut expected = Vec::new();
            for (index, line) in lines.iter().enumerate() {
                let mut text = Vec::new();
                line.write(&mut text);
                prop_assert_eq!(text.len() > ENTRY_LIMIT, too_large.contains(&index));
                if text.len() <= ENTRY_LIMIT {
                    expected.extend(text);
                }
            }
            prop_assert_eq!(entries.concat(), expected);
            prop_assert!(entries.iter().all(|entry| !entry.is_empty() && entry.len() <= ENTRY_LIMIT && entry.ends_with(b"\n")));
            prop_assert!(entries.windows(2).all(|pair| pair[0].len() + pair[1].len() > ENTRY_BYTES), "no entry is needless");

            let mut left = &entries[..];
            while !left.is_empty() {
                let (call, rest) = left.split_at(call_size(left));
                prop_assert!((1..=CALL_ENTRIES).contains(&call.len()));
                prop_assert!(call.iter().map(Vec::len).sum::<usize>() <= CALL_BYTES);
                left = rest;
            }
        }
    }

    #[test]
    fn a_call_has_at_most_500_entries() {
        assert_eq!(call_size(&vec![b"x\n".to_vec(); 501]), 500);
    }
}
