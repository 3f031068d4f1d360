//! The keyed mode.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millrace_broker::topics::TopicSpec;
use millrace_consumer::{Attempt, ConsumerOptions, Outcome, Processor};
use millrace_domain::DeadLetterClass;
use millrace_kafka::Record;
use millrace_testkit::journal::{Entry, Journal};
use millrace_testkit::kafka::{self, Isolation, RawRecord, TransactionEnd};
use millrace_testkit::wait::eventually;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::fixture::{BOUND, Fixture, Member, record};

/// A processor made of a closure over the record's key, value and attempt.
pub(crate) struct Closure<F>(pub(crate) F);

impl<F, R> Processor for Closure<F>
where
    F: Fn(String, String, u32) -> R + Send + Sync,
    R: Future<Output = Outcome> + Send,
{
    type Product = ();

    fn process(&self, record: &Record<'_>, attempt: &Attempt<'_>) -> impl Future<Output = Outcome> + Send {
        let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        (self.0)(text(record.key()), text(record.value()), attempt.number())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_stop_keeps_key_order_and_repeats_nothing() {
    let Some(fixture) = Fixture::set(3).await else { return };
    let seen: Arc<Mutex<Vec<(String, u64)>>> = Arc::default();
    let running: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    let processor = |seen: &Arc<Mutex<Vec<(String, u64)>>>| {
        let (seen, running) = (Arc::clone(seen), Arc::clone(&running));
        Closure(move |key: String, value: String, _| {
            let (seen, running) = (Arc::clone(&seen), Arc::clone(&running));
            async move {
                let of_key = {
                    let mut running = running.lock().unwrap();
                    let of_key = running.entry(key.clone()).or_default();
                    *of_key += 1;
                    *of_key
                };
                tokio::task::yield_now().await;
                *running.lock().unwrap().get_mut(&key).unwrap() -= 1;
                if of_key > 1 {
                    return Outcome::Fatal { reason: format!("two records of {key} at a time") };
                }
                seen.lock().unwrap().push((key, value.parse().unwrap()));
                Outcome::DONE
            }
        })
    };
    let records = (0..2_000).map(|number| record(&format!("key-{}", number % 37), number.to_string()));
    fixture.kafka.produce(&fixture.topic, records).await;

    let member = fixture.member(processor(&seen), Fixture::options());
    eventually(BOUND, "all records are processed", async || (seen.lock().unwrap().len() == 2_000).then_some(())).await;
    member.stop().await;

    let first = std::mem::take(&mut *seen.lock().unwrap());
    for key in 0..37 {
        let of_key: Vec<_> = first.iter().filter(|(name, _)| *name == format!("key-{key}")).map(|(_, n)| *n).collect();
        assert!(of_key.is_sorted() && of_key.len() >= 54, "key {key}: {of_key:?}");
    }
    assert_eq!(fixture.committed().await, 2_000);

    // What comes after the restart is the first thing seen: nothing came again.
    let member = fixture.member(processor(&seen), Fixture::options());
    fixture.kafka.produce(&fixture.topic, [record("after", "9999")]).await;
    fixture.until_committed(2_001).await;
    member.stop().await;
    assert_eq!(*seen.lock().unwrap(), [("after".to_owned(), 9999)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_record_is_dead_lettered_byte_for_byte() {
    let Some(fixture) = Fixture::set(1).await else { return };
    let mut poison = RawRecord::new(b"\xff\x00poison".to_vec());
    poison.headers = vec![
        ("ce_id".to_owned(), Some(b"id-1".to_vec())),
        ("twice".to_owned(), Some(b"a".to_vec())),
        ("twice".to_owned(), None),
        ("bytes".to_owned(), Some(b"\xfe\xff".to_vec())),
    ];
    fixture.kafka.produce(&fixture.topic, [record("k", "fine"), poison.clone(), record("k", "fine")]).await;
    let member = fixture.member(
        Closure(|_, value: String, _| async move {
            if value == "fine" { Outcome::DONE } else { Outcome::reject("no such thing") }
        }),
        Fixture::options(),
    );
    fixture.until_committed(3).await;
    member.stop().await;

    let letters = fixture.letters().await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    let letter = &letters[0];
    assert_eq!((&letter.key, &letter.value), (&None, &poison.value));
    assert_eq!(letter.headers[..4], poison.headers[..]);
    let source = fixture.kafka.read_all(&fixture.topic, Isolation::Committed).await.remove(1);
    for (name, value) in [
        ("dlq.topic", fixture.topic.as_str()),
        ("dlq.partition", "0"),
        ("dlq.offset", "1"),
        ("dlq.timestamp", &source.timestamp.unwrap_or(-1).to_string()),
        ("dlq.group", &fixture.group),
        ("dlq.attempts", "1"),
        ("dlq.error.class", DeadLetterClass::Permanent.as_str()),
        ("dlq.error.reason", "no such thing"),
    ] {
        assert_eq!(letter.header(name), Some(value), "{name}");
    }
    assert_eq!(letter.headers.len(), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_record_of_a_topic_is_dead_lettered() {
    const LARGEST: usize = 3 << 20;
    let Some(kafka) = kafka::shared().await else { return };
    let fixture = Fixture::limited(kafka, LARGEST, LARGEST + (64 << 10)).await;
    let value = vec![b'x'; LARGEST - 200];
    fixture.kafka.produce(&fixture.topic, [record("k", value.clone())]).await;
    let member = fixture.member(Closure(|_, _, _| async { Outcome::reject("no") }), Fixture::options());
    fixture.until_committed(1).await;
    member.stop().await;
    assert!(fixture.letters().await[0].value.as_deref() == Some(&value[..]), "byte for byte");
}

#[tokio::test(flavor = "multi_thread")]
async fn null_and_empty_values_and_panics_are_poison() {
    let Some(fixture) = Fixture::set(1).await else { return };
    let mut tombstone = RawRecord::new("").key("k");
    tombstone.value = None;
    fixture.kafka.produce(&fixture.topic, [tombstone, record("k", ""), record("k", "boom"), record("k", "fine")]).await;
    let member = fixture.member(
        Closure(|_, value: String, _| async move {
            assert!(value != "boom", "it blew up");
            Outcome::DONE
        }),
        Fixture::options(),
    );
    fixture.until_committed(4).await;
    member.stop().await;
    let letters = fixture.letters().await;
    let reasons: Vec<_> = letters.iter().map(|letter| letter.header("dlq.error.reason").unwrap()).collect();
    assert_eq!(reasons, ["the value is null", "the value is empty", "processing panicked: it blew up"]);
    let values: Vec<_> = letters.iter().map(|letter| letter.value.as_deref()).collect();
    assert_eq!(values, [None, Some(&b""[..]), Some(b"boom")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_record_is_retried_and_holds_up_only_its_key() {
    let Some(fixture) = Fixture::set(1).await else { return };
    let others_done: Arc<AtomicUsize> = Arc::default();
    let attempts: Arc<Mutex<Vec<u32>>> = Arc::default();
    let processor = {
        let (others_done, attempts) = (Arc::clone(&others_done), Arc::clone(&attempts));
        Closure(move |key: String, _, attempt| {
            let (others_done, attempts) = (Arc::clone(&others_done), Arc::clone(&attempts));
            async move {
                if key != "stuck" {
                    others_done.fetch_add(1, Ordering::Relaxed);
                    return Outcome::DONE;
                }
                attempts.lock().unwrap().push(attempt);
                // The stuck key gives in only after all others went by.
                let all_by = others_done.load(Ordering::Relaxed) == 500;
                Outcome::Retry { after: (!all_by).then_some(Duration::from_millis(20)), reason: "not yet".to_owned() }
            }
        })
    };
    let others = (0..500).map(|number| record(&format!("other-{number}"), "{}"));
    fixture.kafka.produce(&fixture.topic, std::iter::once(record("stuck", "{}")).chain(others)).await;
    let options = ConsumerOptions { max_attempts: 7, concurrency: 1, ..Fixture::options() };
    let member = fixture.member(processor, options);
    fixture.until_committed(501).await;
    member.stop().await;

    assert_eq!(*attempts.lock().unwrap(), [1, 2, 3, 4, 5, 6, 7]);
    let letters = fixture.letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].header("dlq.error.class"), Some("transient"));
    assert_eq!(letters[0].header("dlq.attempts"), Some("7"));
    assert_eq!(letters[0].header("dlq.error.reason"), Some("not yet"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transient_failure_is_tried_again_until_it_passes() {
    let Some(fixture) = Fixture::set(1).await else { return };
    fixture.kafka.produce(&fixture.topic, [record("k", "{}")]).await;
    let member = fixture.member(
        Closure(|_, _, attempt| async move { if attempt < 4 { Outcome::retry("busy") } else { Outcome::DONE } }),
        Fixture::options(),
    );
    fixture.until_committed(1).await;
    member.stop().await;
    assert!(fixture.letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn transient_dead_letters_do_not_halt_the_consumer() {
    let Some(fixture) = Fixture::set(1).await else { return };
    fixture.kafka.produce(&fixture.topic, (0..50).map(|number| record(&format!("k-{number}"), "{}"))).await;
    let options = ConsumerOptions { dead_letter_limit: 10, max_attempts: 1, ..Fixture::options() };
    let member = fixture.member(Closure(|_, _, _| async { Outcome::retry("the destination is down") }), options);
    fixture.until_committed(50).await;
    member.stop().await;
    assert_eq!(fixture.letters().await.len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_dead_letters_halts_the_consumer() {
    let Some(fixture) = Fixture::set(1).await else { return };
    fixture.kafka.produce(&fixture.topic, (0..100).map(|number| record("k", number.to_string()))).await;
    let options = ConsumerOptions { dead_letter_limit: 10, ..Fixture::options() };
    let member = fixture.member(Closure(|_, _, _| async { Outcome::reject("a bad deploy") }), options);
    let reason = member.halted().await;
    assert!(reason.contains("10 records in a row"), "{reason}");
    assert_eq!(fixture.letters().await.len(), 10);
    assert!(fixture.committed().await <= 10, "what was not dead-lettered is not committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fatal_outcome_ends_the_consumer_uncommitted() {
    let Some(fixture) = Fixture::set(1).await else { return };
    fixture.kafka.produce(&fixture.topic, [record("a", "fine"), record("b", "fatal"), record("c", "fine")]).await;
    let member = fixture.member(
        Closure(|_, value: String, _| async move {
            if value == "fatal" { Outcome::Fatal { reason: "no disk".to_owned() } } else { Outcome::DONE }
        }),
        Fixture::options(),
    );
    assert_eq!(member.halted().await, "no disk");
    assert!(fixture.committed().await <= 1);
    assert!(fixture.letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unacknowledged_dead_letter_is_not_committed() {
    let Some(kafka) = kafka::shared().await else { return };
    // The dead-letter topic is not there: no letter can be acknowledged.
    let topic = kafka.create_unique_topic("no-letters", 1).await;
    let fixture = Fixture { kafka, topic, group: kafka::unique("millrace-test") };
    kafka.produce(&fixture.topic, [record("a", "fine"), record("b", "poison"), record("c", "fine")]).await;
    let seen: Arc<AtomicUsize> = Arc::default();
    let counter = Arc::clone(&seen);
    let processor = Closure(move |_, value: String, _| {
        counter.fetch_add(1, Ordering::Relaxed);
        async move { if value == "fine" { Outcome::DONE } else { Outcome::reject("no") } }
    });
    let member = fixture.member(processor, Fixture::options());
    eventually(BOUND, "all are tried", async || (seen.load(Ordering::Relaxed) == 3).then_some(())).await;
    fixture.until_committed(1).await;
    // Once the topic is there, the letter is written and all is committed.
    kafka.create_topics(&[TopicSpec::new(format!("{}.dlq", fixture.topic), 1)]).await;
    fixture.until_committed(3).await;
    member.stop().await;
    assert_eq!(fixture.letters().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_flight_is_bounded_and_a_full_key_pauses_its_partition() {
    let Some(fixture) = Fixture::set(2).await else { return };
    let open: Arc<AtomicBool> = Arc::default();
    let others: Arc<AtomicUsize> = Arc::default();
    let processor = {
        let (open, others) = (Arc::clone(&open), Arc::clone(&others));
        Closure(move |key: String, _, _| {
            let (open, others) = (Arc::clone(&open), Arc::clone(&others));
            async move {
                if key == "blocked" {
                    while !open.load(Ordering::Relaxed) {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                } else {
                    others.fetch_add(1, Ordering::Relaxed);
                }
                Outcome::DONE
            }
        })
    };
    let blocked = (0..200).map(|_| record("blocked", "{}").partition(0));
    let passing = (0..1_000).map(|number| record(&format!("k-{}", number % 7), "{}").partition(1));
    fixture.kafka.produce(&fixture.topic, blocked.chain(passing)).await;
    let options = ConsumerOptions { max_in_flight: 100, key_queue_records: 20, ..Fixture::options() };
    let member = fixture.member(processor, options);
    eventually(BOUND, "the other partition is through", async || {
        (others.load(Ordering::Relaxed) == 1_000).then_some(())
    })
    .await;
    open.store(true, Ordering::Relaxed);
    fixture.until_committed(1_200).await;
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_markers_of_transactions_leave_no_lag_behind() {
    let Some(fixture) = Fixture::set(1).await else { return };
    let three = || (0..3).map(|number| record("k", number.to_string()));
    fixture.kafka.produce_transaction(&fixture.topic, three(), TransactionEnd::Commit).await;
    let member = fixture.member(Closure(|_, _, _| async { Outcome::DONE }), Fixture::options());
    fixture.until_committed(4).await;
    fixture.kafka.produce_transaction(&fixture.topic, three(), TransactionEnd::Abort).await;
    fixture.until_committed(8).await;
    member.stop().await;

    // A member that finds nothing but a marker passes it as well.
    fixture.kafka.produce_transaction(&fixture.topic, three(), TransactionEnd::Abort).await;
    let member = fixture.member(Closure(|_, _, _| async { Outcome::DONE }), Fixture::options());
    fixture.until_committed(12).await;
    member.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_processor_is_released_when_the_consumer_stops() {
    let Some(fixture) = Fixture::set(1).await else { return };
    fixture.kafka.produce(&fixture.topic, [record("k", "waits")]).await;
    let begun: Arc<AtomicBool> = Arc::default();
    let waiting = Waiting(Arc::clone(&begun));
    let member = fixture.member(waiting, ConsumerOptions { max_attempts: 1, ..Fixture::options() });
    eventually(BOUND, "the record is being processed", async || begun.load(Ordering::SeqCst).then_some(())).await;
    tokio::time::timeout(BOUND, member.stop()).await.expect("the stop waits for nothing");
    assert_eq!(fixture.committed().await, 0, "it is read again");
    assert_eq!(fixture.letters().await, []);
}

/// Waits for what never comes.
struct Waiting(Arc<AtomicBool>);

impl Processor for Waiting {
    type Product = ();

    async fn process(&self, _record: &Record<'_>, attempt: &Attempt<'_>) -> Outcome {
        self.0.store(true, Ordering::SeqCst);
        attempt.until_revoked(std::future::pending::<()>()).await;
        Outcome::retry("revoked")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_abandons_what_backs_off_and_the_next_run_finishes_it() {
    let Some(fixture) = Fixture::set(1).await else { return };
    fixture.kafka.produce(&fixture.topic, [record("a", "{}"), record("b", "{}")]).await;
    let tried: Arc<AtomicBool> = Arc::default();
    let flag = Arc::clone(&tried);
    let processor = Closure(move |key: String, _, _| {
        let flag = Arc::clone(&flag);
        async move {
            if key == "a" {
                flag.store(true, Ordering::Relaxed);
                let after = Some(Duration::from_secs(3_600));
                return Outcome::Retry { after, reason: "come back in an hour".to_owned() };
            }
            Outcome::DONE
        }
    });
    let member = fixture.member(processor, Fixture::options());
    eventually(BOUND, "the record is tried", async || tried.load(Ordering::Relaxed).then_some(())).await;
    tokio::time::timeout(Duration::from_secs(20), member.stop()).await.expect("a stop does not wait for a back-off");
    assert_eq!(fixture.committed().await, 0);

    let member = fixture.member(Closure(|_, _, _| async { Outcome::DONE }), Fixture::options());
    fixture.until_committed(2).await;
    member.stop().await;
}

/// Whether the member is stopped or dies: what it has done is told with its commits.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_behind_a_record_that_waits_is_not_done_again() {
    let Some(fixture) = Fixture::set(1).await else { return };
    fixture.kafka.produce(&fixture.topic, (0..1_000).map(|number| record(&number.to_string(), "{}"))).await;
    let done: Arc<Mutex<Vec<String>>> = Arc::default();
    let member = |stuck: &'static [&'static str]| {
        let done = Arc::clone(&done);
        let processor = Closure(move |key: String, _, _| {
            let done = Arc::clone(&done);
            async move {
                if stuck.contains(&key.as_str()) {
                    let after = Some(Duration::from_secs(3_600));
                    return Outcome::Retry { after, reason: "come back in an hour".to_owned() };
                }
                done.lock().unwrap().push(key);
                Outcome::DONE
            }
        });
        fixture.member(processor, Fixture::options())
    };
    let finished = async |count: usize| {
        eventually(BOUND, "the others are done", async || (done.lock().unwrap().len() >= count).then_some(())).await;
    };

    let first = member(&["3", "400", "800"]);
    finished(997).await;
    first.stop().await;
    let second = member(&["3", "800"]);
    finished(998).await;
    let told = [(4, 800), (801, 1_000)];
    eventually(BOUND, "it is told", async || (fixture.done_beyond().await == told).then_some(())).await;
    second.task.abort();
    let _ = second.task.await;
    let third = member(&[]);
    fixture.until_committed(1_000).await;
    third.stop().await;

    let mut keys = done.lock().unwrap().clone();
    assert_eq!(keys[997..][0], "400");
    keys.sort_unstable_by_key(|key| key.parse::<usize>().unwrap());
    assert_eq!(keys, (0..1_000).map(|number| number.to_string()).collect::<Vec<_>>());
}

/// Stops that fall anywhere, also into the middle of what is read again and was done before.
#[tokio::test(flavor = "multi_thread")]
async fn stops_while_offsets_are_restored_lose_and_repeat_nothing() {
    const RECORDS: usize = 20_000;
    let Some(fixture) = Fixture::set(1).await else { return };
    fixture
        .kafka
        .produce(&fixture.topic, (0..RECORDS).map(|number| record(&number.to_string(), "x".repeat(3_000))))
        .await;
    let done: Arc<Mutex<Vec<usize>>> = Arc::default();
    let member = |stuck: Vec<usize>| {
        let done = Arc::clone(&done);
        let processor = Closure(move |key: String, _, _| {
            let number = key.parse().unwrap();
            let is_stuck = stuck.contains(&number);
            if !is_stuck {
                done.lock().unwrap().push(number);
            }
            async move { if is_stuck { Outcome::retry("not yet") } else { Outcome::DONE } }
        });
        fixture.member(processor, ConsumerOptions { max_attempts: u32::MAX, ..Fixture::options() })
    };
    let finished = async |count: usize| {
        eventually(BOUND, "what can be is done", async || (done.lock().unwrap().len() >= count).then_some(())).await;
    };

    let first = member(vec![0, RECORDS - 1_000]);
    finished(RECORDS - 2).await;
    first.stop().await;
    let mut random = SmallRng::seed_from_u64(8);
    for _ in 0..8 {
        let next = member(vec![RECORDS - 1_000]);
        finished(RECORDS - 1).await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..40))).await;
        next.stop().await;
    }
    let last = member(Vec::new());
    fixture.until_committed(i64::try_from(RECORDS).unwrap()).await;
    last.stop().await;
    let mut done = done.lock().unwrap().clone();
    done.sort_unstable();
    assert_eq!(done.len(), RECORDS, "some were done twice");
    assert!(done.into_iter().eq(0..RECORDS));
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_are_committed_where_the_broker_keeps_no_metadata() {
    let cluster = kafka::dedicated(|broker| broker.property("offset.metadata.max.bytes", "4")).await;
    let Some(kafka) = cluster else { return };
    let fixture = Fixture::on(&kafka, 1).await;
    kafka.produce(&fixture.topic, (0..100).map(|number| record(&number.to_string(), "{}"))).await;
    let may_go_on: Arc<AtomicBool> = Arc::default();
    let flag = Arc::clone(&may_go_on);
    let processor = Closure(move |key: String, _, _| {
        let waits = key == "50" && !flag.load(Ordering::Relaxed);
        async move { if waits { Outcome::retry("not yet") } else { Outcome::DONE } }
    });
    let member = fixture.member(processor, ConsumerOptions { max_attempts: u32::MAX, ..Fixture::options() });
    fixture.until_committed(50).await;
    may_go_on.store(true, Ordering::Relaxed);
    fixture.until_committed(100).await;
    member.stop().await;
}

/// Members come and go, gracefully and not, while records keep coming.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_joining_and_leaving_members_keep_key_order() {
    const KEYS: u64 = 60;
    const ROUNDS: u64 = 120;
    let Some(fixture) = Fixture::set(12).await else { return };
    let journal = Arc::new(Journal::new());
    let seen: Arc<Mutex<Vec<Entry>>> = Arc::default();
    let processor = {
        let seen = Arc::clone(&seen);
        move || {
            let seen = Arc::clone(&seen);
            Closure(move |key: String, value: String, _| {
                let seen = Arc::clone(&seen);
                async move {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    let sequence = value.parse().unwrap();
                    seen.lock().unwrap().push(Entry::new(format!("{key}-{value}"), key, sequence));
                    Outcome::DONE
                }
            })
        }
    };
    let load = tokio::spawn({
        let (kafka, topic, journal) = (fixture.kafka, fixture.topic.clone(), Arc::clone(&journal));
        async move {
            for round in 0..ROUNDS {
                let keys = (0..KEYS).map(|key| format!("key-{key}"));
                kafka.produce(&topic, keys.clone().map(|key| record(&key, round.to_string()))).await;
                for key in keys {
                    journal.acknowledge(Entry::new(format!("{key}-{round}"), key, round));
                }
            }
        }
    });
    let mut random = SmallRng::seed_from_u64(20);
    let mut members: Vec<Member> = (0..8).map(|_| fixture.member(processor(), Fixture::options())).collect();
    for turn in 0..12 {
        tokio::time::sleep(Duration::from_millis(random.random_range(50..400))).await;
        let leaving = members.remove(random.random_range(0..members.len()));
        if turn % 3 == 0 {
            // As a crash would: what was in flight is gone, and nothing is committed.
            leaving.task.abort();
            let _ = leaving.task.await;
        } else {
            leaving.stop().await;
        }
        members.push(fixture.member(processor(), Fixture::options()));
    }
    load.await.unwrap();
    let total = i64::try_from(KEYS * ROUNDS).unwrap();
    fixture.until_committed(total).await;
    for member in members {
        member.stop().await;
    }
    assert_eq!(journal.len(), usize::try_from(total).unwrap());
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    journal.check(seen).assert_at_least_once_in_order();
    assert!(fixture.letters().await.is_empty());
}
