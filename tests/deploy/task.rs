//! Programs with the environment of their tasks.

use std::time::Duration;

use serde_json::Value;

use crate::program::Program;
use crate::terraform::State;

/// How long a program may take to do what it was started for, or to end.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// Starts a program with the environment of a service's containers, and these variables.
pub(crate) fn start(
    state: &State,
    service: &str,
    program: &'static str,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Program {
    let environment = environment(state, service);
    let mut all: Vec<_> = environment.iter().map(|(name, value)| (&**name, &**value)).collect();
    all.extend(variables);
    Program::start(program, arguments, &all)
}

/// The environment variables of a service's containers.
pub(crate) fn environment(state: &State, service: &str) -> Vec<(String, String)> {
    let address = format!("module.millrace.module.consumers.aws_ecs_task_definition.this[\"{service}\"]");
    let definitions = state.resource(&address)["container_definitions"].as_str().unwrap();
    let definitions: Value = serde_json::from_str(definitions).unwrap();
    let variables = definitions[0]["environment"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    variables.map(|variable| (text(&variable["name"]), text(&variable["value"]))).collect()
}
