//! Graceful stops under load, as in a deployment.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use millrace_testkit::kafka::Isolation;
use serde_json::Value;

use crate::fixture::WAIT_TIMEOUT;
use crate::fleet::{Instance, assert_paid_exactly_once, broker};
use crate::live_reader::LiveReader;
use crate::load::Load;

/// How many orders were in flight when the instance began to stop.
fn in_flight(instance: &Instance) -> Option<u64> {
    let mut lines = instance.log().into_iter().filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    lines.find(|line| line["message"] == "stopping, draining what is in flight")?["in_flight"].as_u64()
}

/// Each exits with 0 in time.
#[tokio::test(flavor = "multi_thread")]
async fn five_stops_under_load_repeat_no_payment() {
    let Some(kafka) = broker().await else { return };
    let reader = LiveReader::start(&mut kafka.client());
    let mut load = Load::on(&kafka);
    let is_over = AtomicBool::new(false);
    let stopping = async {
        for _ in 0..5 {
            let mut instance = Instance::start(kafka.bootstrap_servers(), None, &["--payment-delay", "200ms"]);
            reader.until(WAIT_TIMEOUT, reader.count() + 500).await;
            instance.signal("TERM");
            let start = Instant::now();
            let status = instance.exited(Duration::from_secs(25)).await;
            assert_eq!(status.code(), Some(0));
            assert!(in_flight(&instance) > Some(0), "there was load: {:?}", instance.log());
            eprintln!("stopped in {:?} with {:?} in flight", start.elapsed(), in_flight(&instance));
        }
        is_over.store(true, Ordering::Relaxed);
    };
    tokio::join!(load.write(Duration::from_millis(10), |_| is_over.load(Ordering::Relaxed)), stopping);
    let last = Instance::start(kafka.bootstrap_servers(), None, &[]);
    reader.until(WAIT_TIMEOUT, load.journal.len()).await;
    drop(last);
    // Not even in an aborted transaction.
    let written = kafka.read_all("payments", Isolation::Uncommitted).await.len();
    assert_eq!(written, load.journal.len());
    assert_paid_exactly_once(&kafka, &load.journal, reader).await;
}
