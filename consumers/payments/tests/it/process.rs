//! The container's binary: its help, its errors for invalid settings, and a run on the embedded broker.

use std::process::{Command, Output};

use millrace_broker::embedded::Embedded;
use millrace_domain::payment::payment_id;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer, ProducerRecord};
use millrace_testkit::journal::Entry;
use millrace_testkit::kafka;
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};

use crate::fixture::WAIT_TIMEOUT;
use crate::fleet::{Instance, PARTITIONS};
use crate::live_reader::LiveReader;

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace-payments"));
    command.env_clear().env("MILLRACE_ADMIN_LISTEN", "127.0.0.1:0");
    command.args(arguments).envs(variables.iter().copied()).output().unwrap()
}

#[test]
fn invalid_settings_exit_with_2_and_are_named() {
    let kafka = ["--kafka", "127.0.0.1:1"];
    for (arguments, variables, named) in [
        (&[][..], &[][..], "--kafka <HOST:PORT,…> (KAFKA_BOOTSTRAP_SERVERS)"),
        (
            &["--kafka", "127.0.0.1:1", "--payment-delay", "soon"],
            &[],
            "--payment-delay <TIME> (MILLRACE_PAYMENT_DELAY)",
        ),
        (
            &["--kafka", "127.0.0.1:1", "--decline-above", "-1"],
            &[],
            "--decline-above <AMOUNT> (MILLRACE_DECLINE_ABOVE)",
        ),
        (&kafka, &[("MILLRACE_PAYMENT_DELAY", "1")], "--payment-delay <TIME> (MILLRACE_PAYMENT_DELAY)"),
    ] {
        let output = run(arguments, variables);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && stderr.contains(named), "{named}: {stderr}");
    }
}

#[test]
fn help_shows_examples_and_environment_variables() {
    let output = run(&["--help"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    for text in
        ["Examples:", "KAFKA_BOOTSTRAP_SERVERS", "MILLRACE_PAYMENT_DELAY", "MILLRACE_DECLINE_ABOVE", "--admin-listen"]
    {
        assert!(help.contains(text), "no {text} in\n{help}");
    }
    let output = run(&["--version"], &[]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("millrace-payments {}\n", env!("CARGO_PKG_VERSION")));
}

/// The log warns that processing is at least once there. A signal ends the process with 0.
#[tokio::test(flavor = "multi_thread")]
async fn orders_are_paid_on_the_embedded_broker() {
    let broker = Embedded::start(&[("orders", 1), ("orders.dlq", 1), ("payments", PARTITIONS)]).unwrap();
    let mut instance = Instance::start(broker.bootstrap_servers(), None, &[]);
    instance.joined().await;
    let settings = KafkaSettings::plaintext(broker.bootstrap_servers());
    let producer = Producer::new(&settings, &ProducerSettings::default()).unwrap();
    let headers = OwnedHeaders::new().insert(Header { key: "ce_id", value: Some("event-1") });
    let value = Some(&br#"{"order_id": 101, "amount": 7}"#[..]);
    let order = ProducerRecord { topic: "orders", partition: None, key: Some(b"101"), value, headers };
    producer.send(order).await.unwrap();

    let mut client = ClientConfig::new();
    let reader = LiveReader::start(client.set("bootstrap.servers", broker.bootstrap_servers()));
    reader.until(WAIT_TIMEOUT, 1).await;
    instance.signal("TERM");
    assert_eq!(instance.exited(WAIT_TIMEOUT).await.code(), Some(0));
    assert_eq!(reader.stop(), [Entry::new(payment_id("event-1").as_str(), "101", 7)]);
    let log = instance.log().join("\n");
    assert!(log.contains("at least once here, not exactly once"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_transaction_coordinator_exits_with_1() {
    // The coordinators' state topic cannot be created: there are fewer brokers than replicas.
    let setting = "transaction.state.log.replication.factor";
    let Some(kafka) = kafka::dedicated(|broker| broker.property(setting, "3")).await else { return };
    let mut instance = Instance::start(kafka.bootstrap_servers(), Some("a-1".to_owned()), &[]);
    assert_eq!(instance.exited(WAIT_TIMEOUT).await.code(), Some(1));
    let last = instance.log().pop().unwrap_or_default();
    let expected = format!(
        "no broker answers at {}: waited 30 s for the coordinator of transactions as millrace-payments-a-1",
        kafka.bootstrap_servers()
    );
    assert!(last.contains(&expected), "{last}");
}
