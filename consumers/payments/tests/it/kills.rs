//! Instances are killed at any moment.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::fixture::WAIT_TIMEOUT;
use crate::fleet::{Instance, assert_paid_exactly_once, broker, describe_offsets};
use crate::live_reader::LiveReader;
use crate::load::Load;

const SEED: u64 = 7;
const ORDERS: u64 = 10_000;
const KILLS: usize = 12;

/// Ten thousand orders, while instances are killed and others join.
#[tokio::test(flavor = "multi_thread")]
async fn orders_are_paid_exactly_once_through_kills() {
    let Some(kafka) = broker().await else { return };
    let start = |name| Instance::start(kafka.bootstrap_servers(), name, &["--payment-delay", "10ms"]);
    let named = |name: &str| start(Some(name.to_owned()));
    let mut random = SmallRng::seed_from_u64(SEED);
    let mut fleet = vec![named("a"), named("b"), start(None)];
    let reader = LiveReader::start(&mut kafka.client());
    let mut load = Load::on(&kafka);

    let killed = AtomicBool::new(false);
    let killing = async {
        for kill in 1..=KILLS {
            // At a random point of progress since the last kill.
            reader.until(WAIT_TIMEOUT, reader.count() + random.random_range(100..400)).await;
            tokio::time::sleep(Duration::from_millis(random.random_range(0..100))).await;
            let mut victim = fleet.swap_remove(random.random_range(0..fleet.len()));
            victim.kill();
            eprintln!("killed {:?} after {} payments", victim.name, reader.count());
            match kill % 6 {
                // No instance takes its static membership: the group evicts it after the session time-out.
                3 => fleet.push(named(&format!("after-{kill}"))),
                4 => fleet.extend([victim.name.clone(), None].map(start)),
                _ => fleet.push(start(victim.name.clone())),
            }
        }
        killed.store(true, Ordering::Relaxed);
    };
    // Orders are produced until the last kill.
    let enough = |written| written >= ORDERS && killed.load(Ordering::Relaxed);
    tokio::join!(load.write(Duration::from_millis(60), enough), killing);
    let all_seen = reader.until(WAIT_TIMEOUT * 2, load.journal.len());
    let all_seen = tokio::time::timeout(Duration::from_secs(90), all_seen).await;
    assert!(all_seen.is_ok(), "only {} payments were read: {}", reader.count(), describe_offsets(&kafka).await);
    assert_paid_exactly_once(&kafka, &load.journal, reader).await;
}
