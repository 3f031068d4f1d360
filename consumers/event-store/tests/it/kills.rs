//! Event stores are killed, and the database crashes, under load.

use std::collections::BTreeSet;
use std::time::Duration;

use millrace_testkit::Postgres;
use millrace_testkit::eventually;
use millrace_testkit::kafka::{Kafka, RawRecord};
use rand::{RngExt as _, SeedableRng as _};
use sqlx::{Connection as _, PgConnection};

use crate::fixture::kafka_with_topics;
use crate::process::Running;

const EVENTS: u32 = 100_000;
const PARTITIONS: i32 = 6;
const KILLS: u32 = 10;

/// From one kill to the next, in milliseconds: mostly long enough to join and store something.
const KILL_INTERVAL_MS: std::ops::Range<u64> = 500..3_500;

/// Produces all events, in about the time of all kills.
async fn produce(kafka: &Kafka) {
    let mut ticks = tokio::time::interval(Duration::from_millis(400));
    for batch in (0..EVENTS).collect::<Vec<_>>().chunks(2_500) {
        ticks.tick().await;
        let events = batch.iter().map(|number| {
            let value = format!(r#"{{"number":{number},"text":"{}"}}"#, "x".repeat(100));
            RawRecord::new(value).key(format!("{}", number % 1_000)).header("ce_id", format!("id-{number}"))
        });
        kafka.produce("events", events).await;
    }
}

async fn count(url: &str) -> Option<i64> {
    let mut connection = PgConnection::connect(url).await.ok()?;
    sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(&mut connection).await.ok()
}

/// Event stores are killed, and PostgreSQL crashes and restarts.
#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_stored_once_through_kills_and_crashes() {
    let Some(kafka) = kafka_with_topics(PARTITIONS).await else { return };
    let Some(postgres) = Postgres::dedicated().await else { return };
    let database = postgres.database().await;
    let url = database.url();
    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    let start = || Running::start(kafka.bootstrap_servers(), url);

    let mut running = vec![start(), start()];
    let producing = produce(&kafka);
    let killing = async {
        for kill in 1..=KILLS {
            tokio::time::sleep(Duration::from_millis(random.random_range(KILL_INTERVAL_MS))).await;
            running.swap_remove(random.random_range(0..running.len())).kill();
            match kill {
                3 => {
                    postgres.crash().await;
                    postgres.start().await;
                }
                7 => {
                    postgres.stop().await;
                    postgres.start().await;
                }
                _ => {}
            }
            running.push(start());
        }
    };
    tokio::join!(producing, killing);
    assert!(running.iter_mut().all(Running::is_running), "an event store exited during a database outage");

    eventually(Duration::from_secs(120), "all events are stored", async || {
        (count(url).await? >= i64::from(EVENTS)).then_some(())
    })
    .await;
    for one in running {
        assert!(one.terminate().await.success());
    }
    let mut connection = PgConnection::connect(url).await.unwrap();
    let rows: Vec<(String, i32, i64)> =
        sqlx::query_as(r#"SELECT id, partition, "offset" FROM events"#).fetch_all(&mut connection).await.unwrap();
    assert_eq!(rows.len(), usize::try_from(EVENTS).unwrap());
    let ids: BTreeSet<_> = rows.iter().map(|(id, ..)| id.clone()).collect();
    assert_eq!(ids, (0..EVENTS).map(|number| format!("id-{number}")).collect());

    let offsets: Vec<(i32, i64)> =
        sqlx::query_as("SELECT partition, next_offset FROM consumer_offsets WHERE topic = 'events'")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    let ends = kafka.end_offsets("events").await;
    assert_eq!(offsets.into_iter().collect::<std::collections::BTreeMap<_, _>>(), ends);
    for (partition, end) in ends {
        let mut stored: Vec<_> = rows.iter().filter(|row| row.1 == partition).map(|row| row.2).collect();
        stored.sort_unstable();
        assert_eq!(stored, (0..end).collect::<Vec<_>>(), "partition {partition}");
    }
}
