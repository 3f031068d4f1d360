//! The commands of `millrace`, with the environment of the operator's task.

use serde_json::Value;

use crate::aws::Aws;
use crate::permissions::task_role;
use crate::task::{self, BOUND};
use crate::terraform::State;

/// The topology has what the deployment has made, and the refused record is listed among the dead letters.
pub(crate) async fn sees_topics_groups_and_dead_letters(state: &State) {
    let command = state.output("operator_command").as_str().unwrap();
    assert!(command.contains("--task-definition millrace-dev-operator"), "{command}");

    let topology: Value = run(state, &["topology", "--format", "json"]).await.parse().unwrap();
    let has = |list: &str, name: &str| topology[list].as_array().unwrap().iter().any(|entry| entry["name"] == name);
    assert!(has("topics", "events") && has("groups", "millrace-event-store"), "{topology}");
    let letters = run(state, &["replay", "events.dlq", "--dry-run"]).await;
    assert!(letters.contains("would replay 1,"), "{letters}");
}

/// An event's hops, and a log line's, in Kafka, the database and the bucket, with the role's own credentials.
pub(crate) async fn traces_an_event_and_a_log_line(root: &Aws, state: &State) {
    let own = root.assume(&task_role(state, "operator")).await;
    for (id, expected) in [
        ("deployed-1", &["accepted", "kafka", "stored"][..]),
        // Compaction has written its row again.
        ("log-7", &["cleaned", "kafka", "kafka", "raw"]),
    ] {
        let traced = run_with(state, &["trace", id, "--json"], &own.variables()).await;
        let traced: Value = traced.parse().unwrap();
        let hops = traced["hops"].as_array().unwrap();
        let mut kinds: Vec<&str> = hops.iter().map(|hop| hop["hop"].as_str().unwrap()).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, expected, "{traced:#}");
    }
}

/// Runs a command to its end; returns what it printed.
async fn run(state: &State, arguments: &[&str]) -> String {
    run_with(state, arguments, &[]).await
}

/// The same, with these variables.
async fn run_with(state: &State, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let mut program = task::start(state, "operator", "millrace", arguments, variables);
    let status = program.ended(BOUND).await;
    assert!(status.success(), "{arguments:?}: {}", program.stderr());
    program.stdout().join("\n")
}
