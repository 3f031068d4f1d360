//! Raw objects that nobody has cleaned, by the state machine: `millrace lake backfill` says what they cost, and starts it.

use millrace_testkit::eventually;
use serde_json::Value;

use crate::aws::Aws;
use crate::task::{self, BOUND};
use crate::terraform::State;

/// Where the objects are; an hour that is too old to be compacted.
const FOLDER: &str = "raw/2026/01/31/12";

const OBJECTS: usize = 3;

/// What an object of these became: its manifest, and the manifest's key.
async fn manifests(root: &Aws, bucket: &str) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for key in root.keys(bucket, "stages%2Fclean").await {
        let manifest: Value = serde_json::from_slice(&root.object(bucket, &key).await).unwrap();
        if manifest["object"].as_str().unwrap().starts_with(FOLDER) && manifest["version"].is_string() {
            found.push((key, manifest));
        }
    }
    found
}

async fn delete(root: &Aws, bucket: &str, key: &str) {
    let path = format!("/{bucket}/{}", key.replace('=', "%3D"));
    let (status, answer) = root.call("s3", "DELETE", &path, Vec::new()).await;
    assert!(status.is_success(), "{key}: {answer}");
}

/// Runs the command to its end; what it wrote.
async fn backfill(root: &Aws, state: &State) -> Value {
    let machine = state.output("backfill").as_str().unwrap();
    let arguments = ["lake", "backfill", "raw/2026/01", "--state-machine", machine, "--yes", "--json"];
    let mut program = task::start(state, "operator", "millrace", &arguments, &root.variables());
    let status = program.ended(BOUND).await;
    assert!(status.success(), "{}", program.stderr());
    program.stdout().join("\n").parse().unwrap()
}

/// The objects are cleaned by their events first: what that made is removed, as if they were older than the stages.
pub(crate) async fn cleans_what_is_not_cleaned_yet(root: &Aws, state: &State) {
    let bucket = state.resource("module.millrace.aws_s3_bucket.data")["bucket"].as_str().unwrap();
    for number in 0..OBJECTS {
        let line = format!("{{\"time\":\"2026-01-31T12:00:00Z\",\"service\":\"old\",\"msg\":\"{number}\"}}\n");
        let path = format!("/{bucket}/{FOLDER}/old-{number}.jsonl");
        let (status, answer) = root.call("s3", "PUT", &path, line.into_bytes()).await;
        assert_eq!(status, 200, "{answer}");
    }
    let cleaned = eventually(BOUND, "the objects are cleaned by their events", async || {
        let manifests = manifests(root, bucket).await;
        (manifests.len() == OBJECTS).then_some(manifests)
    })
    .await;
    for (key, manifest) in &cleaned {
        for file in manifest["files"].as_array().unwrap() {
            delete(root, bucket, file.as_str().unwrap()).await;
        }
        delete(root, bucket, key).await;
    }
    for already in [0, OBJECTS] {
        let report = backfill(root, state).await;
        assert_eq!((&report["objects"], &report["cleaned_already"]), (&OBJECTS.into(), &already.into()), "{report:#}");
        assert!(report["dollars"].as_f64().unwrap() > 0.0, "{report:#}");
        let run = &report["run"];
        let counts = (&run["status"], &run["cleaned"], &run["failed"]);
        assert_eq!(counts, (&"SUCCEEDED".into(), &OBJECTS.into(), &0.into()), "{report:#}");
        for (_, manifest) in &manifests(root, bucket).await {
            for file in manifest["files"].as_array().unwrap() {
                assert!(!root.object(bucket, file.as_str().unwrap()).await.is_empty());
            }
        }
        assert_eq!(manifests(root, bucket).await.len(), OBJECTS);
    }
}
