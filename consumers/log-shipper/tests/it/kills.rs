//! The container's binary on a real Kafka, killed and stopped under load.

use std::time::Duration;

use millrace_broker::topics::TopicSpec;
use millrace_testkit::kafka::{self, Isolation, RawRecord};
use millrace_testkit::{Program, eventually};

use crate::program::command;
use crate::shipped::{DLQ, TOPIC, ids, objects};

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

const GROUP: &str = "millrace-log-shipper";

/// A batch that comes again after a kill is not shipped again: nothing is lost, and nothing is there twice.
#[tokio::test(flavor = "multi_thread")]
async fn each_record_is_in_one_object_through_kills_and_stops() {
    const RECORDS: usize = 30_000;
    let Some(kafka) = kafka::dedicated(|builder| builder).await else { return };
    kafka.create_topics(&[TopicSpec::new(TOPIC, 3), TopicSpec::new(DLQ, 1)]).await;
    let folder = tempfile::tempdir().unwrap();
    let start = async || {
        let mut command = command();
        command.args(["--kafka", kafka.bootstrap_servers(), "--group-instance-id", "one", "--logs-to"]);
        command.arg(folder.path());
        // Batches of all kinds: full ones, and those whose time has come.
        command.args(["--logs-batch-bytes", "20000", "--logs-batch-age", "50ms"]);
        let program = Program::start(&mut command).await;
        program.joined().await;
        program
    };
    let value = |number: usize| format!("{{\"number\":{number},\"text\":\"{}\"}}", "x".repeat(number % 300));
    let record = |number: usize| RawRecord::new(value(number)).key(format!("service-{}", number % 50));
    let mut program = start().await;
    for round in 0..6 {
        let part = RECORDS / 6;
        let produced = kafka.produce(TOPIC, (round * part..(round + 1) * part).map(record));
        if round % 3 == 2 {
            produced.await;
            program.stop().await;
        } else {
            // Somewhere in the middle: whatever it has taken, sent or not yet committed.
            let begun = async {
                let before = objects(folder.path()).len();
                let more = async || (objects(folder.path()).len() > before + round).then_some(());
                eventually(WAIT_TIMEOUT, "objects appear", more).await;
                program.kill();
            };
            tokio::join!(produced, begun);
        }
        program = start().await;
    }
    kafka.produce(TOPIC, [RawRecord::new(&b"\xff\xfe"[..]).key("bytes"), RawRecord::new("").key("empty")]).await;
    kafka.until_no_lag(GROUP, TOPIC).await;
    program.stop().await;

    let objects = objects(folder.path());
    let mut numbers: Vec<_> =
        objects.values().flatten().map(|line| line["record"]["number"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers.len(), RECORDS, "of {} objects", objects.len());
    assert!(numbers.into_iter().eq(0..RECORDS as u64), "each once");
    for (path, lines) in &objects {
        let ids = ids(lines);
        let name = path.rsplit('/').next().unwrap();
        let first: Vec<&str> = ids[0].rsplitn(3, '-').collect();
        assert!(name.starts_with(&format!("raw-logs-{}-{:0>20}-", first[1], first[0])), "{path}: {}", ids[0]);
    }
    let letters = kafka.read_all(DLQ, Isolation::Committed).await;
    let mut reasons: Vec<_> = letters.iter().map(|letter| letter.header("dlq.error.reason").unwrap()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert_eq!(reasons[1], "the value is neither JSON nor UTF-8 text");
}
