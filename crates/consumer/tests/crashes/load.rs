//! The records of a test: some of them poison, all of them different.

use std::collections::BTreeMap;

use millrace_kafka::Record;
use millrace_testkit::kafka::{OwnedRecord, Place, RawRecord};

/// How many there are.
pub(crate) const RECORDS: usize = 200;

/// Values that begin with this are refused.
const REFUSED: &[u8] = b"refused";

/// What stands at each place of the source.
pub(crate) type Load = BTreeMap<(i32, i64), RawRecord>;

/// Records of a dozen keys. Every thirtieth one is refused, and one each has an empty value and none.
pub(crate) fn records() -> Vec<RawRecord> {
    let value = |number: usize| match number {
        50 => Some(Vec::new()),
        110 => None,
        number if number % 30 == 17 => Some(format!("refused {number}").into_bytes()),
        number => Some(number.to_string().into_bytes()),
    };
    let record = |number| {
        let key = format!("key-{}", number % 12);
        let record = RawRecord { value: value(number), ..RawRecord::default() };
        let record = record.key(key).header("trace", number.to_string()).header("trace", [0xff, 0x00]);
        RawRecord { headers: [record.headers, vec![("none".to_owned(), None)]].concat(), ..record }
    };
    (0..RECORDS).map(record).collect()
}

/// Whether a record's value is one that is to be refused by whoever processes it.
pub(crate) fn is_refused(record: &Record<'_>) -> bool {
    record.value().is_some_and(|value| value.starts_with(REFUSED))
}

/// Whether this is to be processed.
pub(crate) fn is_sound(record: &RawRecord) -> bool {
    record.value.as_ref().is_some_and(|value| !value.is_empty() && !value.starts_with(REFUSED))
}

/// Records with their places.
pub(crate) fn placed(records: Vec<RawRecord>, places: &[Place]) -> Load {
    places.iter().map(|place| (place.partition, place.offset)).zip(records).collect()
}

/// Where the record stood whose letter this is, with the record itself as far as the letter has it.
pub(crate) fn original(letter: OwnedRecord) -> ((i32, i64), RawRecord) {
    let number = |name| letter.header(name).unwrap().parse::<i64>().unwrap();
    let place = (i32::try_from(number("dlq.partition")).unwrap(), number("dlq.offset"));
    let headers = letter.headers.into_iter().filter(|(name, _)| !name.starts_with("dlq.")).collect();
    (place, RawRecord { key: letter.key, value: letter.value, headers, ..RawRecord::default() })
}
