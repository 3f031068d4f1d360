//! Records that wait for a slow destination are spilled, and others pass them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millrace_consumer::{AcquireError, Attempt, ConsumerOptions, DestinationQueues, Outcome, Processor};
use millrace_kafka::Record;
use millrace_testkit::kafka::{OwnedRecord, RawRecord};
use millrace_testkit::wait::eventually;
use tokio::sync::Semaphore;

use crate::fixture::{BOUND, Fixture, Member, record};

/// Keys that begin with `slow` wait at a gate with few places.
#[derive(Clone)]
struct Gated {
    gate: Arc<Semaphore>,
    done: Arc<Mutex<Vec<(String, usize)>>>,
}

impl Gated {
    fn closed() -> Self {
        Self { gate: Arc::new(Semaphore::new(0)), done: Arc::default() }
    }

    fn count(&self, prefix: &str) -> usize {
        self.done.lock().unwrap().iter().filter(|(key, _)| key.starts_with(prefix)).count()
    }

    async fn until_done(&self, prefix: &str, count: usize) {
        let what = format!("{count} records of {prefix} are done");
        eventually(BOUND, &what, async || (self.count(prefix) >= count).then_some(())).await;
    }

    /// Every record once, and those of a key in their order.
    fn assert_each_once_in_order(&self, total: usize) {
        let mut next: HashMap<String, usize> = HashMap::new();
        let done = self.done.lock().unwrap();
        for (key, number) in &*done {
            let expected = next.entry(key.clone()).or_default();
            assert_eq!(number, expected, "{key} is out of order");
            *expected += 1;
        }
        assert_eq!(done.len(), total);
    }
}

impl Processor for Gated {
    type Product = ();

    async fn process(&self, record: &Record<'_>, attempt: &Attempt<'_>) -> Outcome {
        let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        let (key, number): (_, usize) = (text(record.key()), text(record.value()).parse().unwrap());
        let resume_token = u64::try_from(number + 1).unwrap();
        assert!([0, resume_token].contains(&attempt.resume_token()), "another record's token");
        if key.starts_with("slow") {
            let _place = match attempt.acquire(0, self.gate.acquire()).await {
                Ok(place) => place.unwrap(),
                Err(AcquireError::MemoryPressure) => return Outcome::Defer { queue: 0, resume_token },
                Err(AcquireError::Revoked) => return Outcome::retry("revoked"),
            };
            // Long enough that those at the gate queue up.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.done.lock().unwrap().push((key, number));
        Outcome::DONE
    }
}

impl DestinationQueues for Gated {
    fn on_queued(&self, _record: &Record<'_>) {}

    fn capacity(&self, _queue: usize) -> usize {
        self.gate.available_permits()
    }
}

/// `each` records for each of `slow` keys at the gate, with as many of other keys between them.
fn records(slow: usize, each: usize) -> impl Iterator<Item = RawRecord> {
    (0..each).flat_map(move |number| {
        (0..slow).flat_map(move |key| ["slow", "fast"].map(|kind| record(&format!("{kind}-{key}"), number.to_string())))
    })
}

fn few_in_flight() -> ConsumerOptions {
    ConsumerOptions { max_in_flight: 200, ..Fixture::options() }
}

fn member(fixture: &Fixture<'_>, gated: &Gated, options: ConsumerOptions) -> Member {
    fixture.member_with_queues(gated.clone(), |gated| Some(gated), options)
}

async fn fixture_with(slow: usize, each: usize) -> Option<Fixture<'static>> {
    let fixture = Fixture::set(2).await?;
    fixture.kafka.produce(&fixture.topic, records(slow, each)).await;
    Some(fixture)
}

/// Whether many keys wait at the gate, or few with many records each, in their key queues or more than these hold: other
/// records pass, and when the gate opens every key is done in order.
#[tokio::test(flavor = "multi_thread")]
async fn others_pass_records_that_wait_for_a_slow_destination() {
    let short_queues = || ConsumerOptions { key_queue_records: 50, ..Fixture::options() };
    for (slow, each, options) in [(1_000, 5, few_in_flight()), (5, 1_000, few_in_flight()), (5, 1_000, short_queues())]
    {
        let Some(fixture) = fixture_with(slow, each).await else { return };
        let gated = Gated::closed();
        let member = member(&fixture, &gated, options);
        gated.until_done("fast", slow * each).await;
        assert_eq!(gated.count("slow"), 0);
        gated.gate.add_permits(20);
        fixture.until_committed(i64::try_from(2 * slow * each).unwrap()).await;
        member.stop().await;
        gated.assert_each_once_in_order(2 * slow * each);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_beyond_the_spill_limit_wait_and_all_are_done() {
    let Some(fixture) = fixture_with(1_000, 5).await else { return };
    let gated = Gated::closed();
    let member = member(&fixture, &gated, ConsumerOptions { max_spilled: 1_000, ..few_in_flight() });
    gated.until_done("fast", 500).await;
    gated.gate.add_permits(20);
    fixture.until_committed(10_000).await;
    member.stop().await;
    gated.assert_each_once_in_order(10_000);
}

/// Members stop and others take over while most records are spilled.
#[tokio::test(flavor = "multi_thread")]
async fn stops_and_rebalances_lose_and_repeat_no_spilled_record() {
    let Some(fixture) = fixture_with(500, 10).await else { return };
    let gated = Gated::closed();
    let member = || member(&fixture, &gated, few_in_flight());
    let mut members: Vec<Member> = vec![member()];
    gated.until_done("fast", 5_000).await;
    gated.gate.add_permits(3);
    for round in 1..=4 {
        gated.until_done("slow", round * 600).await;
        members.push(member());
        if round % 2 == 0 {
            members.remove(0).stop().await;
        }
    }
    fixture.until_committed(10_000).await;
    for member in members {
        member.stop().await;
    }
    gated.assert_each_once_in_order(10_000);
}

/// Retention is quicker than a slow destination.
#[tokio::test(flavor = "multi_thread")]
async fn a_spilled_record_that_is_deleted_is_dead_lettered() {
    const SLOW: usize = 1_000;
    let Some(fixture) = fixture_with(SLOW, 2).await else { return };
    let gated = Gated::closed();
    let member = member(&fixture, &gated, ConsumerOptions { dead_letter_limit: 100, ..few_in_flight() });
    gated.until_done("fast", 2 * SLOW).await;
    let ends = fixture.kafka.end_offsets(&fixture.topic).await;
    fixture.kafka.delete_records(&fixture.topic, &ends).await;
    gated.gate.add_permits(SLOW);
    let closed = i64::try_from(4 * SLOW).unwrap();
    fixture.until_committed(closed).await;
    member.stop().await;

    let done = gated.count("slow");
    assert!(done <= 400, "{done} were in memory");
    let letters = fixture.letters().await;
    let positions: HashSet<_> =
        letters.iter().map(|letter| ["partition", "offset"].map(|name| header(letter, name).to_owned())).collect();
    assert_eq!((letters.len(), positions.len()), (2 * SLOW - done, letters.len()), "each once");
    for letter in &letters {
        assert_eq!((&letter.key, &letter.value, letter.headers.len()), (&None, &None, 8));
        let told = ["topic", "attempts", "error.class", "error.reason"].map(|name| header(letter, name));
        let reason = "record was deleted from its topic before it was processed (retention)";
        assert_eq!(told, [&*fixture.topic, "0", "permanent", reason]);
    }
}

fn header<'l>(letter: &'l OwnedRecord, name: &str) -> &'l str {
    letter.header(&format!("dlq.{name}")).unwrap()
}
