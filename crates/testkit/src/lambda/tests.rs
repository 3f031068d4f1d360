//! Lambda invokes a function that obeys its event: this test binary in another process.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Failure, Function};
use crate::wait::eventually;

const TIMEOUT: Duration = Duration::from_secs(10);

/// A program that runs [`the_function`] of this test binary. The folder must outlive it.
fn program() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("bootstrap");
    let tests = std::env::current_exe().unwrap();
    let test = "lambda::tests::the_function";
    let script = format!("#!/bin/sh\nexec '{}' --exact {test} --ignored --nocapture\n", tests.display());
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    (folder, program)
}

#[test]
#[ignore = "runs in the process that the other tests invoke"]
fn the_function() {
    let call = |request: String| {
        let mut stream = TcpStream::connect(std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    };
    let post = |path: &str, body: &Value| {
        let body = body.to_string();
        let head = format!("POST /2018-06-01/runtime/{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
        call(format!("{head}content-length: {}\r\n\r\n{body}", body.len()))
    };
    if let Ok(reason) = std::env::var("INIT_FAILS") {
        post("init/error", &json!({"errorMessage": reason}));
        std::process::exit(1);
    }
    loop {
        let next = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let (head, event) = call(next.to_owned());
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        let id = header("lambda-runtime-aws-request-id: ");
        match serde_json::from_str::<Value>(&event).unwrap()["do"].as_str().unwrap() {
            "answer" => {
                let seen = json!({
                    "id": id,
                    "deadline": header("lambda-runtime-deadline-ms: ").parse::<u64>().unwrap(),
                    "home": std::env::var("HOME").ok(),
                    "greeting": std::env::var("GREETING").ok(),
                });
                post(&format!("invocation/{id}/response"), &seen);
            }
            "fail" => drop(post(&format!("invocation/{id}/error"), &json!({"errorMessage": "as requested"}))),
            "exit" => std::process::exit(7),
            _ => std::thread::sleep(Duration::from_hours(1)),
        }
    }
}

/// And no variables of the test.
#[tokio::test]
async fn an_invocation_has_its_deadline_and_variables() {
    let (_folder, program) = program();
    let lambda = Function::new(program).variable("GREETING", "hello").time_out(Duration::from_secs(30)).deploy();
    let before = super::event::now();
    let seen: Value = serde_json::from_slice(&lambda.invoke(&json!({"do": "answer"})).await.unwrap()).unwrap();
    let deadline = u128::from(seen["deadline"].as_u64().unwrap());
    assert!((before + 30_000..=super::event::now() + 30_000).contains(&deadline), "{seen}");
    assert_eq!((&seen["greeting"], &seen["home"]), (&json!("hello"), &Value::Null));
    let startup = lambda.environments()[0].startup().unwrap();
    assert!(startup.to_first_next > Duration::ZERO && startup.resident > 0, "{startup:?}");
}

#[tokio::test]
async fn the_next_invocation_resumes_a_frozen_environment() {
    let (_folder, program) = program();
    let lambda = Function::new(program).environments(1).deploy();
    for _ in 0..3 {
        lambda.invoke(&json!({"do": "answer"})).await.unwrap();
        let environment = lambda.environments()[0].clone();
        eventually(TIMEOUT, "it is frozen", async || environment.is_frozen().then_some(())).await;
        eventually(TIMEOUT, "/proc shows it as stopped", async || (state(environment.pid()) == 'T').then_some(()))
            .await;
    }
}

/// The state of a process in `/proc`: `T` is stopped.
fn state(pid: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
}

/// And an environment that has exited is replaced.
#[tokio::test]
async fn each_kind_of_failure_is_distinguished() {
    let (_folder, program) = program();
    let lambda = Function::new(program).environments(1).time_out(Duration::from_secs(2)).deploy();
    let mut pids = Vec::new();
    for action in ["fail", "exit", "hang", "answer"] {
        let outcome = lambda.invoke(&json!({ "do": action })).await;
        pids.extend(lambda.environments().first().map(|environment| environment.pid()));
        match (action, outcome) {
            ("fail", Err(Failure::Reported(report))) => assert_eq!(report["errorMessage"], "as requested"),
            ("exit", Err(Failure::Exited { status, .. })) => assert!(status.ends_with('7'), "{status}"),
            ("hang", Err(Failure::TimedOut(after))) => assert_eq!(after, Duration::from_secs(2)),
            ("answer", Ok(_)) => {}
            (action, outcome) => panic!("{action}: {outcome:?}"),
        }
    }
    // One from before the exit and one from after the time-out; the two that exited are not listed.
    assert!(pids.len() == 2 && pids[0] != pids[1], "{pids:?}");
}

#[tokio::test]
async fn a_failed_init_has_the_error_that_the_function_reported() {
    let (_folder, program) = program();
    let lambda = Function::new(program).variable("INIT_FAILS", "no broker").deploy();
    match lambda.invoke(&json!({"do": "answer"})).await {
        Err(Failure::Init { reason, .. }) => assert_eq!(reason["errorMessage"], "no broker"),
        outcome => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn a_missing_program_fails_in_init() {
    let lambda = Function::new("/nowhere/bootstrap").deploy();
    match lambda.invoke(&json!({})).await {
        Err(Failure::Init { reason, log }) => {
            assert!(reason.as_str().unwrap().contains("127") && log.contains("/nowhere/bootstrap"), "{reason} {log}");
        }
        outcome => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn environments_end_with_the_function() {
    let (_folder, program) = program();
    let lambda = Function::new(program).deploy();
    lambda.invoke(&json!({"do": "answer"})).await.unwrap();
    let pid = lambda.environments()[0].pid();
    drop(lambda);
    let stat = format!("/proc/{pid}/stat");
    eventually(TIMEOUT, "its process has ended", async || (!std::fs::exists(&stat).unwrap()).then_some(())).await;
}
