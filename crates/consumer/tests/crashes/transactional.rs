//! The transactional mode: effects are records of another topic.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_consumer::{Attempt, Outcome, Processor, Transformer};
use millrace_kafka::{OwnedProducerRecord, Record};
use millrace_testkit::kafka::Isolation;
use rdkafka::message::OwnedHeaders;

use crate::fixture::Fixture;
use crate::load;

/// How many copies a transaction has, so that there are many transactions.
const AT_MOST: usize = 30;

/// Copies records to a topic.
pub(crate) struct Copier(pub(crate) String);

impl Processor for Copier {
    type Product = OwnedProducerRecord;

    async fn process(&self, record: &Record<'_>, _attempt: &Attempt<'_>) -> Outcome<OwnedProducerRecord> {
        // Work that takes its time: several records are under way at any moment.
        tokio::time::sleep(Duration::from_millis(5)).await;
        if load::is_refused(record) {
            return Outcome::reject("it says so");
        }
        let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        let (key, value) = (owned(record.key()), owned(record.value()));
        Outcome::Done(OwnedProducerRecord { topic: self.0.clone().into(), key, value, headers: OwnedHeaders::new() })
    }
}

impl Transformer for Copier {
    fn batch_size(&self, ready: usize, _age: Duration) -> usize {
        ready.min(AT_MOST)
    }

    fn to_records<'p>(&self, products: impl Iterator<Item = &'p OwnedProducerRecord>) -> Vec<OwnedProducerRecord> {
        products.cloned().collect()
    }
}

/// The copies of each key are its sound records in their order, and each poison has one letter.
pub(crate) async fn assert_each_record_came_out_once(fixture: &Fixture) {
    let copies = fixture.kafka.read_all(&fixture.job.output, Isolation::Committed).await;
    let sound = fixture.sound();
    let originals =
        sound.iter().map(|place| &fixture.load[place]).map(|record| (record.key.clone(), record.value.clone()));
    assert_eq!(by_key(copies.into_iter().map(|copy| (copy.key, copy.value))), by_key(originals));
    assert_eq!(fixture.lettered().await, fixture.poison(), "one letter for each poison");
}

type Bytes = Option<Vec<u8>>;

/// Values by key, as text.
fn by_key(records: impl Iterator<Item = (Bytes, Bytes)>) -> BTreeMap<String, Vec<String>> {
    let text = |bytes: Bytes| String::from_utf8(bytes.unwrap()).unwrap();
    let mut by_key: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, value) in records {
        by_key.entry(text(key)).or_default().push(text(value));
    }
    by_key
}
