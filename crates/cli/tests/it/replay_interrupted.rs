//! `millrace replay` that is stopped, killed or fenced.

use std::time::Duration;

use millrace_testkit::kafka::{self, RawRecord};
use millrace_testkit::{Kafka, eventually};

use crate::replay::{Topics, replay};

const DEAD_LETTERS: usize = 300;

async fn dead_letters(kafka: &Kafka, prefix: &str) -> Topics {
    let topics = Topics::create(kafka, prefix, 2).await;
    let dead_letter =
        |n: usize| topics.dead_letter(RawRecord::new(format!("{n}")).key(format!("{n}")), n, "permanent", "no");
    kafka.produce(&topics.dead_letters, (0..DEAD_LETTERS).map(dead_letter)).await;
    topics
}

async fn some_are_back(kafka: &Kafka, topics: &Topics) {
    eventually(Duration::from_secs(30), "some letters are back", async || {
        (topics.replayed(kafka).await.len() > 20).then_some(())
    })
    .await;
}

async fn each_is_back_once(kafka: &Kafka, topics: &Topics) {
    let replayed = topics.replayed(kafka).await;
    assert_eq!(replayed.len(), DEAD_LETTERS);
    assert!(replayed.values().all(|&count| count == 1), "{replayed:?}");
}

#[tokio::test]
async fn a_stop_commits_exactly_what_was_replayed() {
    let Some(kafka) = kafka::shared().await else { return };
    let topics = dead_letters(kafka, "replay-stop").await;
    let running = replay(kafka, &topics, &["--rate", "100"]).start();
    some_are_back(kafka, &topics).await;

    running.signal("INT");
    let summary = running.end().await.ok();

    let back = topics.replayed(kafka).await.len();
    assert!(back < DEAD_LETTERS, "the replay ended before it was stopped");
    assert_eq!(summary, format!("replayed {back}, skipped 0, failed 0, remaining {}\n", DEAD_LETTERS - back));
    let frontier = kafka.committed_offsets("millrace-replay", &topics.dead_letters).await[&0];
    assert_eq!(frontier, Some(i64::try_from(back).unwrap()));

    let summary = replay(kafka, &topics, &[]).run().await.ok();
    assert_eq!(summary, format!("replayed {}, skipped 0, failed 0, remaining 0\n", DEAD_LETTERS - back));
    each_is_back_once(kafka, &topics).await;
}

#[tokio::test]
async fn after_kills_each_dead_letter_is_replayed_once() {
    let Some(kafka) = kafka::shared().await else { return };
    let topics = dead_letters(kafka, "replay-kill").await;
    for _ in 0..3 {
        let running = replay(kafka, &topics, &["--rate", "200"]).start();
        let before = topics.replayed(kafka).await.len();
        eventually(Duration::from_secs(30), "more letters are back", async || {
            let back = topics.replayed(kafka).await.len();
            (back > before + 20 || back == DEAD_LETTERS).then_some(())
        })
        .await;
        running.signal("KILL");
        assert_eq!(running.end().await.code, None);
    }
    replay(kafka, &topics, &[]).run().await.ok();
    each_is_back_once(kafka, &topics).await;
}

#[tokio::test]
async fn a_second_replay_fences_the_first_and_repeats_nothing() {
    let Some(kafka) = kafka::shared().await else { return };
    let topics = dead_letters(kafka, "replay-two").await;
    let first = replay(kafka, &topics, &["--rate", "100"]).start();
    some_are_back(kafka, &topics).await;

    replay(kafka, &topics, &[]).run().await.ok();

    let ended = first.end().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("took over"), "{ended:?}");
    each_is_back_once(kafka, &topics).await;
}
