//! The function `log-compact`, unmodified, with a bucket and a bus.

#![allow(clippy::unwrap_used, reason = "tests")]

use jiff::{SignedDuration, Timestamp};
use millrace_lake::metrics::windows_of;
use millrace_lake::{Folder, LakeWriter, Source, clean};
use millrace_testkit::Bucket;
use millrace_testkit::lambda::{Failure, Function, Lambda};
use serde_json::{Value, json};

struct Deployed {
    bucket: Bucket,
    lambda: Lambda,
}

impl Deployed {
    async fn new() -> Self {
        let bucket = Bucket::start("lake").await;
        let function = Function::new(env!("CARGO_BIN_EXE_millrace-log-compact")).never_frozen();
        let function = function.variable("MILLRACE_LAKE", "s3://lake").variable("MILLRACE_COMPACT_DELAY", "1s");
        let lambda = function.variables(bucket.variables()).deploy();
        Self { bucket, lambda }
    }

    /// Rows of these numbers, of three hours ago, as an object.
    fn put_rows(&self, name: &str, numbers: std::ops::Range<usize>) -> String {
        let time = Timestamp::now() - SignedDuration::from_hours(3);
        let line = |number| {
            format!(
                "{{\"millrace\":{{\"id\":\"{number}\",\"service\":\"pay\",\"at\":\"{time}\"}},\"record\":{{\"time\":\"{time}\",\"msg\":\"{number}\"}}}}\n"
            )
        };
        let text: String = numbers.map(line).collect();
        let source = Source {
            name: format!("raw/{name}"),
            identity: name.to_owned(),
            service: String::new(),
            observed: 0,
            offset: 0,
        };
        let folder = tempfile::tempdir().unwrap();
        let mut files = Folder::new(folder.path());
        let mut writer = LakeWriter::new(&mut files, &source);
        clean(text.as_bytes(), &source, &mut writer).unwrap();
        let [file] = &writer.finish().unwrap()[..] else { panic!("one file") };
        self.bucket.put(file, std::fs::read(folder.path().join(file)).unwrap());
        file.clone()
    }

    fn cleaned(&self) -> Vec<String> {
        self.bucket.objects().into_keys().filter(|key| key.starts_with("cleaned/")).collect()
    }
}

fn scheduled() -> Value {
    json!({
        "version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events", "account": "1",
        "time": "2026-01-31T12:00:00Z", "region": "eu-central-1", "resources": ["r"], "detail": {},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_compacts_the_hours_that_are_over() {
    let deployed = Deployed::new().await;
    deployed.put_rows("a", 0..50);
    deployed.put_rows("b", 40..90);
    // The bucket takes no file: the state names what failed, and all rows stay.
    deployed.bucket.fail(Some("compacted-"));
    let before = deployed.cleaned();
    match deployed.lambda.invoke(&scheduled()).await {
        Err(Failure::Reported(error)) => assert_eq!(error["errorType"], "S3Unavailable", "{error}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(deployed.cleaned(), before);
    deployed.bucket.fail(None);
    // As if that was long ago.
    let compaction = deployed.bucket.objects().into_iter().find(|(key, _)| key.starts_with("stages/compact/")).unwrap();
    let mut text: Value = serde_json::from_slice(&compaction.1).unwrap();
    text["begun"] = json!("2026-01-31T12:00:00Z");
    deployed.bucket.put(&compaction.0, text.to_string());

    let answer: Value = serde_json::from_slice(&deployed.lambda.invoke(&scheduled()).await.unwrap()).unwrap();
    assert_eq!(answer, json!({"compacted": 1}));
    let cleaned = deployed.cleaned();
    let [file] = &cleaned[..] else { panic!("{cleaned:?}") };
    let windows = windows_of(deployed.bucket.objects()[file].clone(), "none").unwrap();
    assert_eq!(windows.0.values().map(|window| window.count).sum::<u64>(), 90);
    let events = deployed.bucket.events();
    let [failed, completed] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&failed["DetailType"], &completed["DetailType"]), (&json!("Stage Failed"), &json!("Stage Completed")));
    let detail: Value = serde_json::from_str(completed["Detail"].as_str().unwrap()).unwrap();
    assert_eq!((&detail["stage"], &detail["rows"]), (&json!("compact"), &json!(90)));

    let answer: Value = serde_json::from_slice(&deployed.lambda.invoke(&scheduled()).await.unwrap()).unwrap();
    assert_eq!(answer, json!({"compacted": 0}));
}
