//! Responses and records while brokers hang, die and restart.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use millrace_broker::topics::TopicSpec;
use millrace_testkit::journal::{Entry, Journal};
use millrace_testkit::kafka::{self, Isolation, Kafka};
use millrace_testkit::wait::eventually;
use reqwest::StatusCode;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::http::{client, notify, serving};
use crate::program::{Program, free_address};

const TOPIC: &str = "notifications";

/// Callers that post one notification after the other, each for its own user, until stopped.
struct Callers {
    tasks: JoinSet<()>,
    stop: Arc<AtomicBool>,
    journal: Arc<Journal>,
    /// Ids of events answered with 503: nothing was written.
    refused: Arc<Mutex<HashSet<String>>>,
    accepted: Arc<AtomicUsize>,
    failed: Arc<AtomicUsize>,
}

impl Callers {
    fn start(count: usize, address: &str) -> Self {
        let mut callers = Self {
            tasks: JoinSet::new(),
            stop: Arc::default(),
            journal: Arc::default(),
            refused: Arc::default(),
            accepted: Arc::default(),
            failed: Arc::default(),
        };
        let client = client();
        for number in 0..count {
            let (client, address, user) = (client.clone(), address.to_owned(), format!("user-{number}"));
            let (stop, journal, refused) =
                (Arc::clone(&callers.stop), Arc::clone(&callers.journal), Arc::clone(&callers.refused));
            let (accepted, failed) = (Arc::clone(&callers.accepted), Arc::clone(&callers.failed));
            callers.tasks.spawn(async move {
                for sequence in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let id = format!("{user}-{sequence}");
                    let (status, took) = notify(&client, &address, &user, &id, &sequence.to_string()).await;
                    assert!(took < Duration::from_secs(15), "{id} was answered after {took:?}");
                    match status {
                        StatusCode::OK => {
                            journal.acknowledge(Entry::new(id, &user, sequence));
                            accepted.fetch_add(1, Ordering::Relaxed);
                        }
                        StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            if status == StatusCode::SERVICE_UNAVAILABLE {
                                refused.lock().await.insert(id);
                            }
                        }
                        other => panic!("{id} was answered {other}"),
                    }
                }
            });
        }
        callers
    }

    /// Waits for this many more acknowledgements: the edge has recovered.
    async fn until_accepted(&self, more: usize) {
        let target = self.accepted.load(Ordering::Relaxed) + more;
        let what = format!("{more} more events are accepted");
        eventually(Duration::from_secs(90), &what, async || {
            (self.accepted.load(Ordering::Relaxed) >= target).then_some(())
        })
        .await;
    }

    /// Stops the callers, and compares their responses with the topic's records.
    async fn compare_with(mut self, kafka: &Kafka) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("every response is expected");
        }
        let refused = self.refused.lock().await.clone();
        let records = kafka.read_all(TOPIC, Isolation::Committed).await;
        let entries = records.iter().map(|record| {
            let id = record.header("ce_id").expect("an id").to_owned();
            let (user, sequence) = id.rsplit_once('-').expect("an id of this test");
            Entry::new(id.clone(), user, sequence.parse().expect("a number"))
        });
        let entries: Vec<Entry> = entries.collect();
        let written = entries.iter().find(|entry| refused.contains(&entry.id));
        assert_eq!(written, None, "a record was written in spite of the 503");
        self.journal.check(entries).assert_exactly_once_in_order();
    }
}

async fn serve(kafka: &Kafka) -> (Program, String) {
    let address = free_address();
    let mut program =
        Program::start("millrace", &["serve", "--listen", &address, "--kafka", kafka.bootstrap_servers()], &[]);
    serving(&mut program, &client(), &address).await;
    (program, address)
}

/// Every response arrives within 15 s.
#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_or_dying_broker_loses_no_accepted_event() {
    let Some(kafka) = kafka::dedicated(|cluster| cluster).await else { return };
    kafka.create_topics(&[TopicSpec::new(TOPIC, 6)]).await;
    let (mut program, address) = serve(&kafka).await;
    let callers = Callers::start(16, &address);
    callers.until_accepted(500).await;

    kafka.broker(1).pause().expect("the broker can be paused");
    tokio::time::sleep(Duration::from_secs(10)).await;
    kafka.broker(1).resume().expect("the broker can be resumed");
    callers.until_accepted(500).await;

    kafka.broker(1).kill().expect("the broker can be killed");
    let failed = callers.failed.load(Ordering::Relaxed);
    eventually(Duration::from_secs(30), "callers get 503 or 504", async || {
        (callers.failed.load(Ordering::Relaxed) > failed).then_some(())
    })
    .await;
    kafka.broker(1).restart().await.expect("the broker restarts");
    callers.until_accepted(500).await;

    callers.compare_with(&kafka).await;
    assert!(program.terminate(Duration::from_secs(30)).await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_three_brokers_may_die_without_a_loss() {
    let Some(kafka) = kafka::dedicated(|cluster| cluster.brokers(3).min_insync_replicas(2)).await else { return };
    kafka.create_topics(&[TopicSpec { replication: Some(3), ..TopicSpec::new(TOPIC, 6) }]).await;
    let (mut program, address) = serve(&kafka).await;
    let callers = Callers::start(16, &address);
    callers.until_accepted(500).await;
    kafka.broker(2).kill().expect("the broker can be killed");
    callers.until_accepted(1_000).await;
    callers.compare_with(&kafka).await;
    assert!(program.terminate(Duration::from_secs(30)).await.success());
}
