//! Graceful stops under load, as in a deployment.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_store::{Store, sqlite_url};
use millrace_testkit::kafka::{Kafka, RawRecord};
use millrace_testkit::{Postgres, eventually};
use sqlx::{Connection as _, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::fixture::{WAIT_TIMEOUT, kafka_with_topics, stored};
use crate::process::Running;

const BURST: u32 = 10_000;

async fn produce(kafka: &Kafka, over: &CancellationToken) {
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    for burst in 0.. {
        ticks.tick().await;
        if over.is_cancelled() {
            return;
        }
        let events = (burst * BURST..(burst + 1) * BURST)
            .map(|number| RawRecord::new("{}").key(number.to_string()).header("ce_id", format!("id-{number}")));
        kafka.produce("events", events).await;
    }
}

/// Each exits with 0 in time, and the next process resumes at the stored offset.
#[tokio::test(flavor = "multi_thread")]
async fn five_stops_under_load_lose_and_repeat_no_event() {
    let Some(kafka) = kafka_with_topics(3).await else { return };
    let Some(postgres) = Postgres::shared().await else { return };
    let database = postgres.database().await;
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    let over = CancellationToken::new();
    let stopping = async {
        let mut before = 0;
        for _ in 0..5 {
            let running = Running::start(kafka.bootstrap_servers(), database.url());
            eventually(WAIT_TIMEOUT, "this process stores events", async || {
                // The table is missing until the first process has migrated.
                let count: i64 =
                    sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(&mut connection).await.unwrap_or(0);
                (count > before + 2_000).then_some(())
            })
            .await;
            assert!(running.terminate().await.success());

            let query = r#"SELECT partition, count(*), max("offset") + 1 FROM events GROUP BY partition"#;
            let ranges: Vec<(i32, i64, i64)> = sqlx::query_as(query).fetch_all(&mut connection).await.unwrap();
            assert!(ranges.iter().all(|(_, rows, next)| rows == next), "each event once, none lost: {ranges:?}");
            let next: BTreeMap<_, _> = ranges.iter().map(|&(partition, _, next)| (partition, next)).collect();
            let query = "SELECT partition, next_offset FROM consumer_offsets WHERE topic = 'events'";
            let stored: Vec<(i32, i64)> = sqlx::query_as(query).fetch_all(&mut connection).await.unwrap();
            assert_eq!(stored.into_iter().collect::<BTreeMap<_, _>>(), next);
            let committed = kafka.committed_offsets("millrace-event-store", "events").await;
            let committed: BTreeMap<_, _> =
                committed.into_iter().filter_map(|(partition, offset)| Some((partition, offset?))).collect();
            assert_eq!(committed, next);
            let ends: i64 = kafka.end_offsets("events").await.values().sum();
            before = next.values().sum();
            assert!(ends > before, "there was load");
        }
        over.cancel();
    };
    tokio::join!(produce(&kafka, &over), stopping);
}

/// A paused broker answers nothing: the stop does not wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_the_broker_hangs_exits_in_time_with_0() {
    let Some(kafka) = kafka_with_topics(3).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite_url(&folder.path().join("events.db"));
    let running = Running::start(kafka.bootstrap_servers(), &url);
    let event = |number: u32| RawRecord::new("{}").key(number.to_string()).header("ce_id", format!("id-{number}"));
    kafka.produce("events", (0..3_000).map(event)).await;
    let store = Store::connect(&url).await.unwrap();
    stored(&store, "id-0").await;
    kafka.broker(1).pause().unwrap();
    let status = running.terminate().await;
    kafka.broker(1).resume().unwrap();
    assert!(status.success(), "{status}");
}
