use std::future::pending;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;

/// What a broker does with a question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mood {
    #[default]
    Answers,
    Refuses,
    Hangs,
}

/// Two topics whose partitions hold records 10 to 99, and a group that has committed 50 of one partition, 30 records.
#[derive(Debug, Default)]
struct Brokers {
    overview: Mood,
    coordinator: Mood,
    /// What happens to questions about `notifications`, and to questions about all topics at once.
    leader: Mood,
}

async fn answer<T>(mood: Mood, value: T) -> Result<T, KafkaError> {
    match mood {
        Mood::Answers => Ok(value),
        Mood::Refuses => {
            Err(KafkaError::Unreachable { bootstrap: "broker:9092".to_owned(), reason: "no leader".to_owned() })
        }
        Mood::Hangs => pending().await,
    }
}

impl ClusterQueries for Brokers {
    async fn overview(&self, _: Duration) -> Result<ClusterMetadata, KafkaError> {
        let topics = Topics::from([("notifications".to_owned(), 2), ("notifications.dlq".to_owned(), 1)]);
        answer(self.overview, ClusterMetadata { brokers: 3, topics }).await
    }

    async fn offsets(&self, place: Place, topics: &Topics, _: Duration) -> Result<Offsets, KafkaError> {
        let places = topics.iter().flat_map(|(name, &count)| (0..count).map(|n| (name.clone(), n)));
        let offset = if place == Place::First { 10 } else { 100 };
        let offsets = places.map(|place| (place, offset)).collect();
        answer(if topics.contains_key("notifications") { self.leader } else { Mood::Answers }, offsets).await
    }

    async fn committed(&self, group: &str, topics: &Topics, _: Duration) -> Result<Commits, KafkaError> {
        // The others read topics that are not there.
        if group != "millrace-notifier" {
            return Ok(Commits::new());
        }
        assert_eq!(topics.len(), 1);
        let committed = Committed { offset: 50, metadata: "records:50:30".to_owned() };
        answer(self.coordinator, Commits::from([(("notifications".to_owned(), 0), committed)])).await
    }
}

async fn told(brokers: Brokers) -> Value {
    let started = Instant::now();
    let status = status(&brokers).await;
    assert!(started.elapsed() < Duration::from_secs(5), "{brokers:?} took {:?}", started.elapsed());
    let mut told = serde_json::to_value(status).unwrap();
    if let Some(consumers) = told["consumers"].as_object_mut() {
        consumers.retain(|name, _| name == "notifier");
    }
    told
}

#[tokio::test(start_paused = true)]
async fn every_figure_is_told_where_all_brokers_answer() {
    let expected = json!({
        "status": "ok",
        "kafka": {"connected": true, "brokers": 3},
        "topics": {
            "notifications": {"partitions": 2, "end_offset": 200},
            "notifications.dlq": {"partitions": 1, "end_offset": 100},
        },
        "consumers": {
            "notifier": {"group": "millrace-notifier", "lag": 140, "processed": 30, "dead_lettered": 100},
        },
    });
    assert_eq!(told(Brokers::default()).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_away_costs_the_figures_of_its_topic_only() {
    for leader in [Mood::Refuses, Mood::Hangs] {
        let expected = json!({
            "status": "degraded",
            "kafka": {"connected": true, "brokers": 3},
            "topics": {
                "notifications": {"partitions": 2, "end_offset": null},
                "notifications.dlq": {"partitions": 1, "end_offset": 100},
            },
            "consumers": {
                "notifier": {"group": "millrace-notifier", "lag": null, "processed": 30, "dead_lettered": 100},
            },
        });
        assert_eq!(told(Brokers { leader, ..Brokers::default() }).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_is_away_costs_the_figures_of_its_group_only() {
    for coordinator in [Mood::Refuses, Mood::Hangs] {
        let status = told(Brokers { coordinator, ..Brokers::default() }).await;
        assert_eq!((&status["status"], &status["kafka"]["connected"]), (&json!("degraded"), &json!(true)));
        assert_eq!(status["topics"]["notifications"]["end_offset"], 200);
        let expected = json!({"group": "millrace-notifier", "lag": null, "processed": null, "dead_lettered": 100});
        assert_eq!(status["consumers"]["notifier"], expected);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_known_only_where_no_broker_answers() {
    for overview in [Mood::Refuses, Mood::Hangs] {
        let status = told(Brokers { overview, ..Brokers::default() }).await;
        let expected = json!({
            "status": "degraded", "kafka": {"connected": false, "brokers": 0}, "topics": {}, "consumers": {},
        });
        assert_eq!(status, expected);
    }
    let all_hang = Brokers { overview: Mood::Answers, leader: Mood::Hangs, coordinator: Mood::Hangs };
    assert_eq!(told(all_hang).await["kafka"]["connected"], true);
}
