//! Somebody who reads payments as they are committed, and sees each once.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use millrace_testkit::eventually;
use millrace_testkit::journal::Entry;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

use crate::fleet::PARTITIONS;
use crate::load;

pub(crate) struct LiveReader {
    seen: Arc<Mutex<Vec<Entry>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl LiveReader {
    /// Reads all partitions from their beginning.
    pub(crate) fn start(client: &mut ClientConfig) -> Self {
        let consumer: BaseConsumer = client
            .set("group.id", "live-reader")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("reconnect.backoff.max.ms", "500")
            .create()
            .unwrap();
        let mut assignment = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            assignment.add_partition_offset("payments", partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&assignment).unwrap();
        let (seen, ends) = (Arc::<Mutex<Vec<Entry>>>::default(), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (seen, ends) = (Arc::clone(&seen), Arc::clone(&ends));
            move || {
                while !ends.load(Ordering::Relaxed) {
                    // The client mends errors by itself: a broker that is away comes back.
                    if let Some(Ok(payment)) = consumer.poll(Duration::from_millis(100)) {
                        seen.lock().unwrap().push(load::entry(payment.payload().unwrap()));
                    }
                }
            }
        });
        Self { seen, ends, thread: Some(thread) }
    }

    /// How many payments it has seen.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Waits until it has seen this many different payments.
    pub(crate) async fn until(&self, bound: Duration, count: usize) {
        let what = format!("{count} payments are seen");
        let different = || self.seen.lock().unwrap().iter().map(|entry| entry.id.clone()).collect::<HashSet<_>>().len();
        // Counting is dear, and only worth it when there are enough.
        eventually(bound, &what, async || (self.count() >= count && different() >= count).then_some(())).await;
    }

    /// What it has seen, in the order in which it came.
    pub(crate) fn end(mut self) -> Vec<Entry> {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the reader does not fail");
        }
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

impl Drop for LiveReader {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
    }
}
