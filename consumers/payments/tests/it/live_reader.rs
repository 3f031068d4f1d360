//! A `read_committed` consumer that reads payments as they are committed.

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
    stop: Arc<AtomicBool>,
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
        let (seen, stop) = (Arc::<Mutex<Vec<Entry>>>::default(), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (seen, stop) = (Arc::clone(&seen), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::Relaxed) {
                    // Errors are transient: the client reconnects to a restarted broker.
                    if let Some(Ok(payment)) = consumer.poll(Duration::from_millis(100)) {
                        seen.lock().unwrap().push(load::entry(payment.payload().unwrap()));
                    }
                }
            }
        });
        Self { seen, stop, thread: Some(thread) }
    }

    /// How many payments it has read.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Waits until it has read this many distinct payments.
    pub(crate) async fn until(&self, timeout: Duration, count: usize) {
        let what = format!("{count} payments are read");
        let distinct = || self.seen.lock().unwrap().iter().map(|entry| entry.id.clone()).collect::<HashSet<_>>().len();
        // Counting distinct ones is expensive: only when there are enough.
        eventually(timeout, &what, async || (self.count() >= count && distinct() >= count).then_some(())).await;
    }

    /// Stops it, and returns what it has read, in order.
    pub(crate) fn stop(mut self) -> Vec<Entry> {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the reader does not fail");
        }
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

impl Drop for LiveReader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
