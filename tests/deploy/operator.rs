//! The commands of `millrace`, with the environment of the operator's task.

use serde_json::Value;

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

/// Runs a command to its end; returns what it printed.
async fn run(state: &State, arguments: &[&str]) -> String {
    let mut program = task::start(state, "operator", "millrace", arguments, &[]);
    let status = program.ended(BOUND).await;
    assert!(status.success(), "{arguments:?}: {}", program.stderr());
    program.stdout().join("\n")
}
