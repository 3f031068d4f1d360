//! Brokers that do not answer.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::millrace::Millrace;

const COMMANDS: [&[&str]; 5] =
    [&["tail", "events"], &["order"], &["replay", "events.dlq"], &["topology"], &["consume", "notifier"]];

async fn ends_with_the_address(address: &str) {
    let runs = COMMANDS.map(|command| {
        let args: Vec<&str> = command.iter().copied().chain(["--kafka", address]).collect();
        async move {
            let started = Instant::now();
            let ended = Millrace::new(args.iter().copied()).run().await;
            assert_eq!(ended.code, Some(1), "{args:?}: {ended:?}");
            assert_eq!(ended.stderr.matches(address).count(), 1, "{args:?}: {ended:?}");
            // Before it there is a consumer's first log line, which says where its metrics are.
            let last = ended.stderr.lines().last().unwrap_or_default();
            assert!(last.starts_with("error: no broker answers at "), "{args:?}: {ended:?}");
            for jargon in ["Failure", "Local: ", "TimedOut", "error: Meta"] {
                assert!(!ended.stderr.contains(jargon), "{args:?}: {ended:?}");
            }
            assert!(started.elapsed() < Duration::from_secs(30), "{args:?} took {:?}", started.elapsed());
        }
    });
    futures_util::future::join_all(runs).await;
}

#[tokio::test]
async fn an_unreachable_broker_ends_the_command_with_its_address() {
    // No process listens on a port that was just released.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    ends_with_the_address(&address).await;
}

#[tokio::test]
async fn a_silent_broker_ends_the_command_with_its_address() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    ends_with_the_address(&silent.local_addr().unwrap().to_string()).await;
}
