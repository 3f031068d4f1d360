//! What waits for something slow waits on its topic, and others pass it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millrace_domain::Outcome;
use millrace_kafka::Record;
use millrace_kafka::consumer::{Attempt, ConsumerOptions, NoTurn, Processor};
use millrace_testkit::kafka::RawRecord;
use millrace_testkit::wait::eventually;
use tokio::sync::Semaphore;

use crate::scene::{BOUND, Member, Scene, record};

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
        let note = u64::try_from(number + 1).unwrap();
        assert!([0, note].contains(&attempt.note()), "another record's note");
        if key.starts_with("slow") {
            let _place = match attempt.turn(0, self.gate.acquire()).await {
                Ok(place) => place.unwrap(),
                Err(NoTurn::Crowded) => return Outcome::Postponed { queue: 0, note },
                Err(NoTurn::GivenUp) => return Outcome::retry("given up"),
            };
            // Long enough that those at the gate queue up.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.done.lock().unwrap().push((key, number));
        Outcome::DONE
    }

    fn room(&self, _queue: usize) -> usize {
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
    ConsumerOptions { max_in_flight: 200, ..Scene::options() }
}

async fn scene_with(slow: usize, each: usize) -> Option<Scene<'static>> {
    let scene = Scene::set(2).await?;
    scene.kafka.produce(&scene.topic, records(slow, each)).await;
    Some(scene)
}

/// Be there many keys that wait at the gate, or few with many records that wait for their turn: in memory, or more of
/// them than may.
#[tokio::test(flavor = "multi_thread")]
async fn others_pass_what_waits_for_a_slow_place_and_it_is_done_in_order_when_there_is_room() {
    let short_lanes = || ConsumerOptions { lane_records: 50, ..Scene::options() };
    for (slow, each, options) in [(1_000, 5, few_in_flight()), (5, 1_000, few_in_flight()), (5, 1_000, short_lanes())] {
        let Some(scene) = scene_with(slow, each).await else { return };
        let gated = Gated::closed();
        let member = scene.member(gated.clone(), options);
        gated.until_done("fast", slow * each).await;
        assert_eq!(gated.count("slow"), 0);
        gated.gate.add_permits(20);
        scene.until_committed(i64::try_from(2 * slow * each).unwrap()).await;
        member.stop().await;
        gated.assert_each_once_in_order(2 * slow * each);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_more_may_be_postponed_the_rest_waits_and_all_is_done_in_the_end() {
    let Some(scene) = scene_with(1_000, 5).await else { return };
    let gated = Gated::closed();
    let member = scene.member(gated.clone(), ConsumerOptions { max_postponed: 1_000, ..few_in_flight() });
    gated.until_done("fast", 500).await;
    gated.gate.add_permits(20);
    scene.until_committed(10_000).await;
    member.stop().await;
    gated.assert_each_once_in_order(10_000);
}

/// Members stop and others take over while most is postponed.
#[tokio::test(flavor = "multi_thread")]
async fn stops_and_rebalances_lose_and_repeat_nothing_of_what_is_postponed() {
    let Some(scene) = scene_with(500, 10).await else { return };
    let gated = Gated::closed();
    let member = || scene.member(gated.clone(), few_in_flight());
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
    scene.until_committed(10_000).await;
    for member in members {
        member.stop().await;
    }
    gated.assert_each_once_in_order(10_000);
}
