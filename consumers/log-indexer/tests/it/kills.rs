//! The container's binary on a real Kafka and a real OpenSearch, killed and stopped under load.

use std::time::Duration;

use millrace_broker::topics::TopicSpec;
use millrace_testkit::kafka::{self, Isolation, RawRecord};
use millrace_testkit::{Program, eventually, opensearch};
use serde_json::json;

use crate::program::command;
use crate::rows::{DLQ, TOPIC, ago, row};

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

const GROUP: &str = "millrace-log-indexer";

#[tokio::test(flavor = "multi_thread")]
async fn each_row_is_one_document_through_kills_and_stops() {
    const ROWS: usize = 12_000;
    const ROUNDS: usize = 6;
    let Some(search) = opensearch::shared().await else { return };
    let Some(kafka) = kafka::dedicated(|builder| builder).await else { return };
    kafka.create_topics(&[TopicSpec::new(TOPIC, 3), TopicSpec::new(DLQ, 1)]).await;
    let start = async || {
        let mut command = command();
        command.args(["--kafka", kafka.bootstrap_servers(), "--group-instance-id", "one"]);
        command.args(["--index-to", &search.url(), "--index-prefix", "kills"]);
        command.args(["--index-batch-records", "200", "--index-batch-age", "20ms"]);
        let program = Program::start(&mut command).await;
        program.joined().await;
        program
    };
    let count = || {
        search.call("POST", "/kills-*/_refresh", "");
        search.call("GET", "/kills-*/_count", "").1["count"].as_u64().unwrap_or(0)
    };
    let time = ago(30);
    let record = |number: usize| {
        // Each second row is of another day.
        let time = if number.is_multiple_of(2) { time } else { time - jiff::SignedDuration::from_hours(24) };
        let row = row(&number.to_string(), time, "x").to_string();
        RawRecord::new(row).key(format!("service-{}", number % 50)).header("ce_id", number.to_string())
    };
    let mut program = start().await;
    for round in 0..ROUNDS {
        let part = ROWS / ROUNDS;
        let produced = kafka.produce(TOPIC, (round * part..(round + 1) * part).map(record));
        if round % 3 == 2 {
            produced.await;
            program.stop().await;
        } else {
            // Somewhere in the middle: whatever it has sent, acknowledged or not yet committed.
            let begun = async {
                let before = count();
                let more = async || (count() > before).then_some(());
                eventually(WAIT_TIMEOUT, "documents appear", more).await;
                program.kill();
            };
            tokio::join!(produced, begun);
        }
        program = start().await;
    }
    kafka.until_no_lag(GROUP, TOPIC).await;
    program.stop().await;

    assert_eq!(count(), ROWS as u64);
    let ids = json!({"size": 0, "aggs": {"ids": {"cardinality": {"field": "id", "precision_threshold": 40_000}}}});
    let (_, answer) = search.call("POST", "/kills-*/_search", &ids.to_string());
    assert_eq!(answer["aggregations"]["ids"]["value"], ROWS);
    assert_eq!(kafka.read_all(DLQ, Isolation::Committed).await.len(), 0);
}
