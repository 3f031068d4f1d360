//! The broker is killed and restarted.

use std::time::Duration;

use crate::fixture::WAIT_TIMEOUT;
use crate::fleet::{Instance, assert_paid_exactly_once, broker};
use crate::live_reader::LiveReader;
use crate::load::Load;

const ORDERS: usize = 6_000;

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_paid_exactly_once_through_broker_restarts() {
    let Some(kafka) = broker().await else { return };
    let options = ["--payment-delay", "10ms"];
    let mut fleet = ["a", "b"].map(|name| Instance::start(kafka.bootstrap_servers(), Some(name.to_owned()), &options));
    for instance in &fleet {
        instance.joined().await;
    }
    let reader = LiveReader::start(&mut kafka.client());
    let mut load = Load::on(&kafka);
    let bouncing = async {
        for seen in [1_000, 3_000] {
            reader.until(WAIT_TIMEOUT, seen).await;
            kafka.broker(1).kill().unwrap();
            kafka.broker(1).restart().await.unwrap();
        }
    };
    let writing = load.write(Duration::from_millis(40), |written| written >= ORDERS as u64);
    // An instance whose transaction's outcome is unknown exits; the container's host restarts it.
    let supervising = async {
        loop {
            for instance in &mut fleet {
                if let Some(status) = instance.exit_status() {
                    eprintln!("instance {:?} exited with {status}: {:?}", instance.name, instance.log().last());
                    *instance = Instance::start(kafka.bootstrap_servers(), instance.name.clone(), &options);
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let paying = async {
        tokio::join!(writing, bouncing);
        reader.until(Duration::from_secs(90), ORDERS).await;
    };
    tokio::select! {
        () = paying => {}
        () = supervising => {}
    }
    assert_paid_exactly_once(&kafka, &load.journal, reader).await;
}
