use std::future::pending;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;

/// How the brokers answer a query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Response {
    #[default]
    Answers,
    Refuses,
    Hangs,
}

/// Two topics whose partitions hold records 10 to 99, and a group that has committed 50 of one partition, 30 records.
#[derive(Debug, Default)]
struct Brokers {
    overview: Response,
    coordinator: Response,
    /// For queries of `notifications`, and of all topics at once.
    leader: Response,
    /// Whether the log indexer has ever committed.
    has_indexer: bool,
}

async fn answer<T>(mood: Response, value: T) -> Result<T, KafkaError> {
    match mood {
        Response::Answers => Ok(value),
        Response::Refuses => {
            Err(KafkaError::Unreachable { bootstrap: "broker:9092".to_owned(), reason: "no leader".to_owned() })
        }
        Response::Hangs => pending().await,
    }
}

impl ClusterQueries for Brokers {
    async fn overview(&self, _: Duration) -> Result<ClusterMetadata, KafkaError> {
        let topics = Topics::from([("notifications".to_owned(), 2), ("notifications.dlq".to_owned(), 1)]);
        answer(self.overview, ClusterMetadata { brokers: 3, topics }).await
    }

    async fn offsets(&self, spec: OffsetSpec, topics: &Topics, _: Duration) -> Result<Offsets, KafkaError> {
        let partitions = topics.iter().flat_map(|(name, &count)| (0..count).map(|n| (name.clone(), n)));
        let offset = if spec == OffsetSpec::Earliest { 10 } else { 100 };
        let offsets = partitions.map(|partition| (partition, offset)).collect();
        answer(if topics.contains_key("notifications") { self.leader } else { Response::Answers }, offsets).await
    }

    async fn committed(&self, group: &str, topics: &Topics, _: Duration) -> Result<Commits, KafkaError> {
        if group == "millrace-log-indexer" && self.has_indexer {
            let committed = Committed { offset: 1, metadata: String::new() };
            return Ok(Commits::from([(("cleaned-logs".to_owned(), 0), committed)]));
        }
        // The topics of the other groups do not exist.
        if group != "millrace-notifier" {
            return Ok(Commits::new());
        }
        assert_eq!(topics.len(), 1);
        let committed = Committed { offset: 50, metadata: "records:50:30".to_owned() };
        answer(self.coordinator, Commits::from([(("notifications".to_owned(), 0), committed)])).await
    }
}

async fn status_json(brokers: Brokers) -> Value {
    let started = Instant::now();
    let status = status(&brokers).await;
    assert!(started.elapsed() < Duration::from_secs(5), "{brokers:?} took {:?}", started.elapsed());
    let mut json = serde_json::to_value(status).unwrap();
    if let Some(consumers) = json["consumers"].as_object_mut() {
        consumers.retain(|name, _| name == "notifier");
    }
    json
}

#[tokio::test(start_paused = true)]
async fn every_figure_is_present_where_all_brokers_answer() {
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
    assert_eq!(status_json(Brokers::default()).await, expected);
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_leader_nulls_only_its_topics_figures() {
    for leader in [Response::Refuses, Response::Hangs] {
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
        assert_eq!(status_json(Brokers { leader, ..Brokers::default() }).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_coordinator_nulls_only_its_groups_figures() {
    for coordinator in [Response::Refuses, Response::Hangs] {
        let status = status_json(Brokers { coordinator, ..Brokers::default() }).await;
        assert_eq!((&status["status"], &status["kafka"]["connected"]), (&json!("degraded"), &json!(true)));
        assert_eq!(status["topics"]["notifications"]["end_offset"], 200);
        let expected = json!({"group": "millrace-notifier", "lag": null, "processed": null, "dead_lettered": 100});
        assert_eq!(status["consumers"]["notifier"], expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_an_installation_may_be_without_is_shown_once_it_has_committed() {
    for has_indexer in [false, true] {
        let status = serde_json::to_value(status(&Brokers { has_indexer, ..Brokers::default() }).await).unwrap();
        let consumers = status["consumers"].as_object().unwrap();
        assert_eq!(consumers.contains_key("log-indexer"), has_indexer);
        assert!(consumers.contains_key("log-shipper"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_status_is_empty_only_where_no_broker_answers() {
    for overview in [Response::Refuses, Response::Hangs] {
        let status = status_json(Brokers { overview, ..Brokers::default() }).await;
        let expected = json!({
            "status": "degraded", "kafka": {"connected": false, "brokers": 0}, "topics": {}, "consumers": {},
        });
        assert_eq!(status, expected);
    }
    let all_hang = Brokers {
        overview: Response::Answers,
        leader: Response::Hangs,
        coordinator: Response::Hangs,
        has_indexer: false,
    };
    assert_eq!(status_json(all_hang).await["kafka"]["connected"], true);
}
