//! `millrace replay` that does not come to its end.

use std::time::Duration;

use millrace_testkit::kafka::{self, RawRecord};
use millrace_testkit::{Kafka, eventually};

use crate::replay::{Topics, replay};

const LETTERS: usize = 300;

async fn letters(kafka: &Kafka, prefix: &str) -> Topics {
    let topics = Topics::create(kafka, prefix, 2).await;
    let letter = |n: usize| topics.letter(RawRecord::new(format!("{n}")).key(format!("{n}")), n, "permanent", "no");
    kafka.produce(&topics.letters, (0..LETTERS).map(letter)).await;
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
    assert_eq!(replayed.len(), LETTERS);
    assert!(replayed.values().all(|&count| count == 1), "{replayed:?}");
}

#[tokio::test]
async fn a_stop_records_exactly_what_went_back() {
    let Some(kafka) = kafka::shared().await else { return };
    let topics = letters(kafka, "replay-stop").await;
    let running = replay(kafka, &topics, &["--rate", "100"]).start();
    some_are_back(kafka, &topics).await;

    running.signal("INT");
    let summary = running.end().await.ok();

    let back = topics.replayed(kafka).await.len();
    assert!(back < LETTERS, "it was stopped too late for this test");
    assert_eq!(summary, format!("replayed {back}, passed over 0, failed 0, remaining {}\n", LETTERS - back));
    let frontier = kafka.committed_offsets("millrace-replay", &topics.letters).await[&0];
    assert_eq!(frontier, Some(i64::try_from(back).unwrap()));

    let summary = replay(kafka, &topics, &[]).run().await.ok();
    assert_eq!(summary, format!("replayed {}, passed over 0, failed 0, remaining 0\n", LETTERS - back));
    each_is_back_once(kafka, &topics).await;
}

#[tokio::test]
async fn after_a_kill_each_letter_is_back_once_all_the_same() {
    let Some(kafka) = kafka::shared().await else { return };
    let topics = letters(kafka, "replay-kill").await;
    for _ in 0..3 {
        let running = replay(kafka, &topics, &["--rate", "200"]).start();
        let before = topics.replayed(kafka).await.len();
        eventually(Duration::from_secs(30), "more letters are back", async || {
            let back = topics.replayed(kafka).await.len();
            (back > before + 20 || back == LETTERS).then_some(())
        })
        .await;
        running.signal("KILL");
        assert_eq!(running.end().await.code, None);
    }
    replay(kafka, &topics, &[]).run().await.ok();
    each_is_back_once(kafka, &topics).await;
}

#[tokio::test]
async fn a_second_replay_takes_over_and_repeats_nothing() {
    let Some(kafka) = kafka::shared().await else { return };
    let topics = letters(kafka, "replay-two").await;
    let first = replay(kafka, &topics, &["--rate", "100"]).start();
    some_are_back(kafka, &topics).await;

    replay(kafka, &topics, &[]).run().await.ok();

    let ended = first.end().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("took over"), "{ended:?}");
    each_is_back_once(kafka, &topics).await;
}
