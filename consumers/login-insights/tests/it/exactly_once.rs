//! The container's binary on a real Kafka, killed, stopped and restarted under load.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use millrace_broker::topics::TopicSpec;
use millrace_domain::insight;
use millrace_testkit::eventually;
use millrace_testkit::kafka::{self, Isolation, Kafka, OwnedRecord, RawRecord};
use serde_json::Value;

use crate::logins::{Counts, Logins, count, record, sum, time, user};
use crate::program;

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

const LOGINS: &str = "user-login";
const DLQ: &str = "user-login.dlq";
const INSIGHTS: &str = "processed-data";

/// The records of a topic since a point in time.
struct Since<'k> {
    kafka: &'k Kafka,
    topic: &'static str,
    ends: BTreeMap<i32, i64>,
}

impl<'k> Since<'k> {
    async fn now(kafka: &'k Kafka, topic: &'static str) -> Self {
        Self { kafka, topic, ends: kafka.end_offsets(topic).await }
    }

    async fn records(&self) -> Vec<OwnedRecord> {
        let mut records = self.kafka.read_all(self.topic, Isolation::Committed).await;
        records.retain(|record| record.offset >= self.ends[&record.partition]);
        records
    }

    async fn insights(&self) -> Vec<Value> {
        self.records().await.iter().map(|record| serde_json::from_str(record.value_text().unwrap()).unwrap()).collect()
    }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder.join("insights")).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

/// Each of ten thousand logins is in one insight, and each insight in one file, through kills and restarts.
#[tokio::test(flavor = "multi_thread")]
async fn each_login_is_in_exactly_one_insight_and_file() {
    let Some(kafka) = kafka::shared().await else { return };
    kafka.create_topics(&[TopicSpec::new(LOGINS, 3), TopicSpec::new(INSIGHTS, 3), TopicSpec::new(DLQ, 1)]).await;
    let insights = Since::now(kafka, INSIGHTS).await;
    let dead_letters = Since::now(kafka, DLQ).await;
    let folder = tempfile::tempdir().unwrap();
    let start = async |instance: &str| {
        let options = ["--group-instance-id", instance, "--batch-age", "2s"];
        program::start(kafka.bootstrap_servers(), folder.path(), &options).await
    };

    let logins: Vec<Value> = Logins::seeded(7).take(10_000).collect();
    let poison = [
        RawRecord::new("no JSON \u{0}").key("p").header("trace", "1"),
        RawRecord::new(r#"{"user_id": {}}"#).key("q"),
        RawRecord::new(""),
    ];
    let (mut a, mut b) = (start("a").await, start("b").await);
    for (round, part) in logins.chunks(1_250).enumerate() {
        let (first, second) = part.split_at(625);
        kafka.produce(LOGINS, first.iter().map(record)).await;
        if round == 3 {
            kafka.produce(LOGINS, poison.clone()).await;
        }
        kafka.produce(LOGINS, second.iter().map(record)).await;
        // Each restart hits a busy member, with logins that wait for their batch.
        let before = insights.insights().await.len();
        eventually(WAIT_TIMEOUT, "there are more insights", async || {
            (insights.insights().await.len() > before).then_some(())
        })
        .await;
        match round % 3 {
            0 => {
                a.kill();
                a = start("a").await;
            }
            1 => {
                b.stop().await;
                b = start("b").await;
            }
            _ => {
                a.stop().await;
                b.kill();
                (a, b) = (start("a").await, start("b").await);
            }
        }
    }
    kafka.until_no_lag("millrace-login-insights", LOGINS).await;
    kafka.until_no_lag("millrace-login-insights-files", INSIGHTS).await;
    a.stop().await;
    b.stop().await;

    let records = insights.records().await;
    let found = insights.insights().await;
    assert_aggregates(&found, &logins);

    let mut expected = BTreeMap::new();
    for (record, insight) in records.iter().zip(&found) {
        assert_eq!(record.key, None);
        assert_eq!(record.header("ce_id"), insight["id"].as_str());
        assert_eq!(record.header("ce_type"), Some("millrace.login.insight"));
        assert_eq!(record.header("ce_source"), Some("/millrace/login-insights"));
        assert_eq!(record.header("content-type"), Some("application/json"));
        let value = record.value.clone().unwrap();
        expected.insert(insight::file_name(&value).unwrap(), value);
    }
    assert_eq!(expected.len(), records.len(), "every insight has an id of its own");
    let files = files(folder.path());
    assert_eq!(files.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    assert!(files == expected, "the files hold what the topic does");

    assert_dead_letters(&dead_letters.records().await, &poison);
}

/// Asserts that the insights aggregate these logins, each once.
fn assert_aggregates(insights: &[Value], logins: &[Value]) {
    let sizes: Vec<_> = insights.iter().map(|insight| insight["batch_size"].as_u64().unwrap()).collect();
    assert!(sizes.iter().all(|size| (1..=100).contains(size)), "{sizes:?}");
    assert_eq!(usize::try_from(sizes.iter().sum::<u64>()), Ok(logins.len()));

    assert_eq!(sum(insights, "device_type_aggregation"), count(logins, "device_type"));
    assert_eq!(sum(insights, "top_10_locations"), count(logins, "locale"));
    let mut by_user = Counts::new();
    for login in logins {
        *by_user.entry(user(login)).or_default() += 1;
    }
    for (name, count) in sum(insights, "top_5_users") {
        assert!(count <= by_user[&name], "{name} did not log in so often");
    }
    let times = |member: &str| -> BTreeSet<jiff::Timestamp> {
        insights.iter().map(|insight| insight[member].as_str().unwrap().parse().unwrap()).collect()
    };
    assert_eq!(times("start_time").first().copied(), logins.iter().map(time).min());
    assert_eq!(times("end_time").last().copied(), logins.iter().map(time).max());

    for insight in insights {
        let mut least_first: Vec<_> = insight["top_10_locations"].as_object().unwrap().iter().collect();
        least_first.sort_by_key(|(name, count)| (count.as_u64(), (*name).clone()));
        least_first.truncate(5);
        let bottom: Counts =
            least_first.into_iter().map(|(name, count)| (name.clone(), count.as_u64().unwrap())).collect();
        assert_eq!(sum(std::slice::from_ref(insight), "bottom_5_locations"), bottom);
    }
}

/// Asserts that the dead letters are these records, byte for byte, and no others.
fn assert_dead_letters(dead_letters: &[OwnedRecord], poison: &[RawRecord]) {
    type Content = (Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>);
    let of_dead_letter = |record: &OwnedRecord| -> Content {
        let own = record.headers.iter().filter(|(name, _)| !name.starts_with("dlq."));
        (record.key.clone(), record.value.clone(), own.cloned().collect())
    };
    let of_poison =
        |record: &RawRecord| -> Content { (record.key.clone(), record.value.clone(), record.headers.clone()) };
    let found: BTreeSet<Content> = dead_letters.iter().map(of_dead_letter).collect();
    assert_eq!(found, poison.iter().map(of_poison).collect());
    assert_eq!(dead_letters.len(), poison.len(), "each once");
    for dead_letter in dead_letters {
        assert_eq!(dead_letter.header("dlq.topic"), Some(LOGINS));
        assert_eq!(dead_letter.header("dlq.group"), Some("millrace-login-insights"));
        assert_eq!(dead_letter.header("dlq.error.class"), Some("permanent"));
    }
}
