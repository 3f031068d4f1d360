//! The host against a function that does what its event says: this test binary in another process.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Failure, Function};
use crate::wait::eventually;

const BOUND: Duration = Duration::from_secs(10);

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
#[ignore = "is the function that the other tests invoke"]
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
            "fail" => drop(post(&format!("invocation/{id}/error"), &json!({"errorMessage": "told to"}))),
            "exit" => std::process::exit(7),
            _ => std::thread::sleep(Duration::from_hours(1)),
        }
    }
}

#[tokio::test]
async fn an_invocation_sees_its_deadline_and_the_functions_variables_and_no_others() {
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
async fn an_idle_environment_is_frozen_and_the_next_invocation_thaws_it() {
    let (_folder, program) = program();
    let lambda = Function::new(program).environments(1).deploy();
    for _ in 0..3 {
        lambda.invoke(&json!({"do": "answer"})).await.unwrap();
        let environment = lambda.environments()[0].clone();
        eventually(BOUND, "it is frozen", async || environment.is_frozen().then_some(())).await;
        eventually(BOUND, "the kernel says so", async || (state(environment.pid()) == 'T').then_some(())).await;
    }
}

/// The letter that `/proc` has for the state of a process.
fn state(pid: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
}

#[tokio::test]
async fn failures_are_told_apart_and_an_environment_that_ended_is_replaced() {
    let (_folder, program) = program();
    let lambda = Function::new(program).environments(1).time_out(Duration::from_secs(2)).deploy();
    let mut pids = Vec::new();
    for order in ["fail", "exit", "hang", "answer"] {
        let outcome = lambda.invoke(&json!({ "do": order })).await;
        pids.extend(lambda.environments().first().map(|environment| environment.pid()));
        match (order, outcome) {
            ("fail", Err(Failure::Reported(report))) => assert_eq!(report["errorMessage"], "told to"),
            ("exit", Err(Failure::Exited { status, .. })) => assert!(status.ends_with('7'), "{status}"),
            ("hang", Err(Failure::TimedOut(after))) => assert_eq!(after, Duration::from_secs(2)),
            ("answer", Ok(_)) => {}
            (order, outcome) => panic!("{order}: {outcome:?}"),
        }
    }
    // One from before the exit, and one from after the time-out: the two that ended are in no list.
    assert!(pids.len() == 2 && pids[0] != pids[1], "{pids:?}");
}

#[tokio::test]
async fn an_init_that_fails_is_reported_in_the_functions_words() {
    let (_folder, program) = program();
    let lambda = Function::new(program).variable("INIT_FAILS", "no broker").deploy();
    match lambda.invoke(&json!({"do": "answer"})).await {
        Err(Failure::Init { reason, .. }) => assert_eq!(reason["errorMessage"], "no broker"),
        outcome => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn a_program_that_is_none_fails_in_init() {
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
    eventually(BOUND, "its process is gone", async || (!std::fs::exists(&stat).unwrap()).then_some(())).await;
}
