//! The transactional mode: effects are records of another topic.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_domain::Outcome;
use millrace_kafka::consumer::{Attempt, Processor, Transformer};
use millrace_kafka::{NewRecord, Record};
use millrace_testkit::kafka::Isolation;
use rdkafka::message::OwnedHeaders;

use crate::load;
use crate::scene::Scene;

/// How many copies a transaction has, so that there are many transactions.
const AT_MOST: usize = 30;

/// Copies records to a topic.
pub(crate) struct Copier(pub(crate) String);

impl Processor for Copier {
    type Product = NewRecord;

    async fn process(&self, record: &Record<'_>, _attempt: &Attempt<'_>) -> Outcome<NewRecord> {
        // Work that takes its time: several records are under way at any moment.
        tokio::time::sleep(Duration::from_millis(5)).await;
        if load::is_refused(record) {
            return Outcome::poison("it says so");
        }
        let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        let (key, value) = (owned(record.key()), owned(record.value()));
        Outcome::Done(NewRecord { topic: self.0.clone().into(), key, value, headers: OwnedHeaders::new() })
    }
}

impl Transformer for Copier {
    fn cut(&self, ready: usize, _age: Duration) -> usize {
        ready.min(AT_MOST)
    }

    fn seal<'p>(&self, products: impl Iterator<Item = &'p NewRecord>) -> Vec<NewRecord> {
        products.cloned().collect()
    }
}

/// The copies of each key are its sound records in their order, and each poison has one letter.
pub(crate) async fn assert_each_record_came_out_once(scene: &Scene) {
    let copies = scene.kafka.read_all(&scene.job.output, Isolation::Committed).await;
    let sound = scene.sound();
    let originals =
        sound.iter().map(|place| &scene.load[place]).map(|record| (record.key.clone(), record.value.clone()));
    assert_eq!(by_key(copies.into_iter().map(|copy| (copy.key, copy.value))), by_key(originals));
    assert_eq!(scene.lettered().await, scene.poison(), "one letter for each poison");
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
