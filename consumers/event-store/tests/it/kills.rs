//! Processes that are killed, and a database that goes away, while events come in.

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

/// From one kill to the next, in milliseconds: long enough to join and store something, most times.
const BETWEEN: std::ops::Range<u64> = 500..3_500;

/// Produces all events, over about as much time as the kills take.
async fn produce(kafka: &Kafka) {
    let mut pace = tokio::time::interval(Duration::from_millis(400));
    for chunk in (0..EVENTS).collect::<Vec<_>>().chunks(2_500) {
        pace.tick().await;
        let events = chunk.iter().map(|number| {
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

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_kept_once_while_event_stores_are_killed_and_postgresql_restarts() {
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
            tokio::time::sleep(Duration::from_millis(random.random_range(BETWEEN))).await;
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
    assert!(running.iter_mut().all(Running::is_running), "an outage of the database ended an event store");

    eventually(Duration::from_secs(120), "all events are kept", async || {
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
        let mut kept: Vec<_> = rows.iter().filter(|row| row.1 == partition).map(|row| row.2).collect();
        kept.sort_unstable();
        assert_eq!(kept, (0..end).collect::<Vec<_>>(), "partition {partition}");
    }
}
