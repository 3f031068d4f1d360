//! A log line's way: a record on Kafka, log-shipper with its task's environment and its role's credentials, the Firehose
//! stream, the bucket.

use std::collections::BTreeSet;

use millrace_testkit::Kafka;
use millrace_testkit::eventually;
use millrace_testkit::kafka::RawRecord;
use serde_json::Value;

use crate::aws::Aws;
use crate::permissions::task_role;
use crate::task::{self, BOUND};
use crate::terraform::State;

const LINES: usize = 200;

/// The emulator neither gathers nor compresses: an object is a record of the stream, as text.
pub(crate) async fn are_delivered_with_the_roles_own_credentials(root: &Aws, state: &State, kafka: &Kafka) {
    let own = root.assume(&task_role(state, "log-shipper")).await;
    let bucket = state.resource("module.millrace.aws_s3_bucket.data")["bucket"].as_str().unwrap();
    let variables = [&own.variables()[..], &[("MILLRACE_ADMIN_LISTEN", "127.0.0.1:0")]].concat();
    let mut consumer = task::start(state, "log-shipper", "millrace-log-shipper", &[], &variables);
    let line = |number| RawRecord::new(format!("line {number}")).key("shop").header("ce_id", format!("log-{number}"));
    kafka.produce("raw-logs", (0..LINES).map(line)).await;

    let expected: BTreeSet<String> = (0..LINES).map(|number| format!("log-{number}")).collect();
    let delivered = eventually(BOUND, "the lines are in the bucket", async || {
        consumer.assert_running();
        let mut ids = BTreeSet::new();
        let keys = root.keys(bucket, "raw").await;
        for key in &keys {
            let (status, text) = root.call("s3", "GET", &format!("/{bucket}/{key}"), Vec::new()).await;
            assert_eq!(status, 200, "{text}");
            let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            ids.extend(lines.map(|line| line["millrace"]["id"].as_str().unwrap().to_owned()));
        }
        (ids == expected).then_some(keys)
    });
    let keys = delivered.await;
    assert!(consumer.terminate(BOUND).await.success());
    assert!(keys.len() < LINES, "many lines are one record: {keys:?}");
    for key in keys {
        let folders: Vec<&str> = key.split('/').collect();
        let [raw, year, month, day, hour, _] = folders[..] else { panic!("{key}") };
        let digits = [(year, 4), (month, 2), (day, 2), (hour, 2)];
        assert!(
            raw == "raw" && digits.iter().all(|(text, length)| text.parse::<u16>().is_ok() && text.len() == *length),
            "{key}"
        );
    }
}
