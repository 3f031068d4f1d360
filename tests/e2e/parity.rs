//! `millrace dev` and the Lambda function handle every request alike.

mod case;
mod outcome;
mod table;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use millrace_domain::event::EVENT_TYPES;
use millrace_testkit::kafka::{self, Isolation, Kafka, OwnedRecord};
use millrace_testkit::lambda::{Function, HttpApi};

use self::outcome::{Answer, Outcome, Position};
use crate::http::{client, serving};
use crate::program::{self, Program, free_address};

/// Records by position.
type Records = BTreeMap<Position, OwnedRecord>;

#[tokio::test(flavor = "multi_thread")]
async fn millrace_dev_and_the_function_answer_and_write_the_same() {
    let Some(kafka) = kafka::dedicated(|cluster| cluster).await else { return };
    let mut seen = HashSet::new();

    let folder = tempfile::tempdir().expect("a folder");
    let (address, data_dir) = (free_address(), folder.path().display().to_string());
    let args = ["dev", "--listen", &address, "--kafka", kafka.bootstrap_servers(), "--data-dir", &data_dir];
    let mut dev = Program::start("millrace", &args, &[]);
    serving(&mut dev, &client(), &address).await;
    let by_dev = outcomes(&kafka, &format!("http://{address}"), &mut seen).await;
    assert!(dev.terminate(Duration::from_secs(30)).await.success(), "{}", dev.stderr());

    let function = Function::new(program::path("millrace-api"))
        .variable("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers())
        .environments(1);
    let api = HttpApi::start(function.deploy()).await.expect("a gateway");
    let by_lambda = outcomes(&kafka, &api.url(""), &mut seen).await;

    let differences: Vec<String> = table::all()
        .iter()
        .zip(by_dev.iter().zip(&by_lambda))
        .filter(|(_, (dev, lambda))| dev != lambda)
        .map(|(case, (dev, lambda))| format!("{}\nmillrace dev: {dev:#?}\nthe function: {lambda:#?}", case.name))
        .collect();
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

/// Sends the table to an edge, one request after the other, and reads the records written.
async fn outcomes(kafka: &Kafka, edge: &str, seen: &mut HashSet<Position>) -> Vec<Outcome> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis();
    let since = i64::try_from(since).expect("a time of this age");
    let (client, table) = (client(), table::all());
    let mut answers = Vec::with_capacity(table.len());
    for case in &table {
        let answer = Answer::of(case.send(&client, edge).await).await;
        assert_eq!(answer.status, case.status, "{}: {answer:#?}", case.name);
        answers.push(answer);
    }
    let mut records = new_records(kafka, seen).await;
    let outcomes =
        table.iter().zip(answers).map(|(case, answer)| Outcome::of(case.name, answer, &mut records, since)).collect();
    assert!(records.is_empty(), "{edge} acknowledged none of these records: {records:#?}");
    outcomes
}

/// The records written to the edge's topics since the last call. Consumers write to other topics.
async fn new_records(kafka: &Kafka, seen: &mut HashSet<Position>) -> Records {
    let mut records = Records::new();
    let topics: BTreeSet<_> = EVENT_TYPES.iter().map(|kind| kind.topic).collect();
    for topic in topics {
        for record in kafka.read_all(topic, Isolation::Uncommitted).await {
            let position = (record.topic.clone(), record.partition, record.offset);
            if seen.insert(position.clone()) {
                records.insert(position, record);
            }
        }
    }
    records
}
