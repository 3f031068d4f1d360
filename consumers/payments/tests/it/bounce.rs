//! The broker goes away and comes back.

use std::time::Duration;

use crate::fixture::BOUND;
use crate::fleet::{Instance, assert_paid_exactly_once, broker};
use crate::live_reader::LiveReader;
use crate::load::Load;

const ORDERS: usize = 6_000;

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_paid_exactly_once_while_the_broker_is_killed_and_comes_back() {
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
            reader.until(BOUND, seen).await;
            kafka.broker(1).kill().unwrap();
            kafka.broker(1).restart().await.unwrap();
        }
    };
    let writing = load.write(Duration::from_millis(40), |written| written >= ORDERS as u64);
    // An instance that cannot tell what became of its transaction ends; a container's host starts it again.
    let keeping = async {
        loop {
            for instance in &mut fleet {
                if let Some(status) = instance.end() {
                    eprintln!("instance {:?} ended with {status}: {:?}", instance.name, instance.log().last());
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
        () = keeping => {}
    }
    assert_paid_exactly_once(&kafka, &load.journal, reader).await;
}
