//! `millrace order`, from a pipe and on a terminal.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_broker::Embedded;
use millrace_domain::payment::payment_id;
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer, ProducerRecord, Read, Reader};
use rdkafka::message::{Header, OwnedHeaders};

use crate::millrace::{Ended, Millrace};
use crate::terminal::Terminal;

const TIMEOUT: Duration = Duration::from_secs(30);

/// A stand-in for the consumer payments, which settles one order a call.
struct Settling {
    _broker: Embedded,
    bootstrap_servers: String,
    orders: Reader,
    producer: Producer,
}

impl Settling {
    fn start() -> Self {
        let broker = Embedded::start(&[("orders", 1), ("payments", 1)]).unwrap();
        let bootstrap_servers = broker.bootstrap_servers().to_owned();
        let settings = KafkaSettings::plaintext(&bootstrap_servers);
        let orders = Reader::new(&settings, "test", "orders", &BTreeMap::from([(0, 0)])).unwrap();
        let producer = Producer::new(&settings, &ProducerSettings::default()).unwrap();
        Self { _broker: broker, bootstrap_servers, orders, producer }
    }

    fn order(&self) -> Millrace {
        Millrace::new(["order", "--kafka", &self.bootstrap_servers])
    }

    /// Pays the next order, or declines a large one, and returns its value.
    async fn settle(&self) -> String {
        let next = async {
            loop {
                if let Read::Record(order) = self.orders.next().await.unwrap() {
                    break (order.envelope().id, String::from_utf8(order.value().unwrap().to_vec()).unwrap());
                }
            }
        };
        let (id, value) = tokio::time::timeout(TIMEOUT, next).await.expect("an order in time");
        let id = payment_id(id.as_str());
        let status = if value.contains("99999") { "declined" } else { "paid" };
        let payment = format!(r#"{{"status": "{status}"}}"#);
        let headers = OwnedHeaders::new().insert(Header { key: "ce_id", value: Some(id.as_str()) });
        let (topic, value_bytes) = ("payments", Some(payment.as_bytes()));
        self.producer
            .send(ProducerRecord { topic, partition: None, key: None, value: value_bytes, headers })
            .await
            .unwrap();
        value
    }

    /// Runs the command with these input lines, of which `orders` are orders.
    async fn piped(&self, lines: &[u8], orders: usize) -> Ended {
        let settle = async {
            for _ in 0..orders {
                self.settle().await;
            }
        };
        tokio::join!(self.order().input(lines).run(), settle).0
    }
}

fn ends_with_a_prompt(lines: &[String]) -> bool {
    lines.last().is_some_and(|line| line.starts_with("order>"))
}

#[tokio::test]
async fn a_byte_order_mark_before_the_first_order_is_ignored() {
    let ended = Settling::start().piped("\u{feff}{\"order_id\": 203, \"amount\": 99999}\n".as_bytes(), 1).await;
    assert!(ended.stdout.starts_with("203 declined "), "{ended:?}");
    assert_eq!(ended.code, Some(0));
}

#[tokio::test]
async fn a_line_that_is_no_order_does_not_block_the_others() {
    let mut lines: Vec<u8> = (1..=100).flat_map(|id| format!("{id}\n").into_bytes()).collect();
    let position = lines.windows(3).position(|bytes| bytes == b"57\n").unwrap();
    lines[position] = 0xff;
    lines.extend_from_slice("x {\"order_id\": 1}\n10\u{200b}1\n".as_bytes());

    let ended = Settling::start().piped(&lines, 99).await;

    assert_eq!(ended.code, Some(1), "{ended:?}");
    let lines_with = |what: &str| ended.stdout.lines().filter(|line| line.contains(what)).collect::<Vec<_>>();
    assert_eq!(lines_with(" paid ").len(), 99, "{ended:?}");
    let refused = lines_with(" refused ");
    assert_eq!(refused.len(), 3, "{ended:?}");
    assert!(refused[0].starts_with("line 57 refused ") && refused[0].contains("UTF-8"), "{refused:?}");
    assert!(refused[1].contains("JSON") && refused[2].contains("U+200B"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typed_line_stays_below_the_output_and_can_be_edited() {
    let settling = Settling::start();
    let mut terminal = Terminal::start(settling.order());
    terminal.shows("the prompt", ends_with_a_prompt).await;
    terminal.types("1x1\u{1b}[D\u{7f}0\r");
    terminal.shows("the order as it was edited", |lines| lines.iter().any(|line| line.contains("101  accepted"))).await;

    terminal.types("10");
    terminal.shows("half a line", |lines| lines.last().is_some_and(|line| line == "order> 10")).await;
    assert_eq!(settling.settle().await, r#"{"order_id":"101"}"#);
    let paid = |lines: &[String]| lines.iter().any(|line| line.contains("101  paid"));
    terminal.shows("the payment above", |lines| paid(lines) && lines.last().unwrap() == "order> 10").await;

    // The rest of the line, and the previous line again from the history.
    terminal.types("2\r\u{1b}[A\r");
    let orders = [settling.settle().await, settling.settle().await];
    assert_eq!(orders, [r#"{"order_id":"102"}"#; 2]);
    terminal.types("exit\r");
    assert_eq!(terminal.ended().await, Some(0));
    let both = |lines: &[String]| lines.iter().filter(|line| line.contains("102  paid")).count() == 2;
    terminal.shows("both payments and no prompt", |lines| both(lines) && !ends_with_a_prompt(lines)).await;
    assert!(terminal.is_cooked(), "the terminal is restored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_restores_the_terminal() {
    let settling = Settling::start();
    let mut terminal = Terminal::start(settling.order());
    terminal.shows("the prompt", ends_with_a_prompt).await;
    terminal.types("10");
    terminal.shows("half a line", |lines| lines.last().is_some_and(|line| line == "order> 10")).await;
    terminal.signal("TERM");
    assert_eq!(terminal.ended().await, Some(0));
    terminal.shows("no prompt", |lines| !ends_with_a_prompt(lines)).await;
    assert!(terminal.is_cooked(), "the terminal is restored");
}
