//! What the metrics of a member say.

use std::sync::{Arc, OnceLock};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use millrace_consumer::{ConsumerOptions, Outcome};
use millrace_testkit::kafka::RawRecord;
use millrace_testkit::wait::eventually;
use tokio::sync::Notify;

use crate::fixture::{BOUND, Fixture, record};
use crate::keyed::Closure;

/// The metrics of this process; to be called before a member starts.
fn page() -> &'static PrometheusHandle {
    static PAGE: OnceLock<PrometheusHandle> = OnceLock::new();
    PAGE.get_or_init(|| PrometheusBuilder::new().install_recorder().unwrap())
}

async fn shows(line: String) {
    eventually(BOUND, &line, async || page().render().lines().any(|found| found == line).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_counted_by_topic_class_and_reason() {
    page();
    let Some(fixture) = Fixture::set(1).await else { return };
    let values = ["refused", "panics", "fails", ""];
    fixture.kafka.produce(&fixture.topic, values.map(|value| record(value, value))).await;
    fixture.kafka.produce(&fixture.topic, [RawRecord::new("fine")]).await;

    let processor = Closure(|_, value: String, _| async move {
        match value.as_str() {
            "refused" => Outcome::reject("no"),
            "panics" => panic!("a bug"),
            "fails" => Outcome::retry("not yet"),
            _ => Outcome::DONE,
        }
    });
    let member = fixture.member(processor, ConsumerOptions { max_attempts: 2, ..Fixture::options() });

    fixture.until_committed(5).await;
    let topic = &fixture.topic;
    for (class, reason) in [
        ("permanent", "rejected"),
        ("permanent", "panicked"),
        ("transient", "attempts_exhausted"),
        ("permanent", "no_value"),
    ] {
        let labels = format!(r#"consumer="test",topic="{topic}",class="{class}",reason="{reason}""#);
        shows(format!("millrace_consumer_dead_letters_total{{{labels}}} 1")).await;
    }
    shows(format!(r#"millrace_consumer_lag_records{{consumer="test",topic="{topic}"}} 0"#)).await;
    member.stop().await;
}

/// Nothing is fetched then, and fetches alone tell the client the end of a partition.
#[tokio::test(flavor = "multi_thread")]
async fn the_lag_grows_while_too_much_is_in_flight() {
    page();
    let Some(fixture) = Fixture::set(1).await else { return };
    let release = Arc::new(Notify::new());
    let processor = {
        let release = Arc::clone(&release);
        Closure(move |_, value: String, _| {
            let release = Arc::clone(&release);
            async move {
                if value == "0" {
                    release.notified().await;
                }
                Outcome::DONE
            }
        })
    };
    let member = fixture.member(processor, ConsumerOptions { max_in_flight: 1, ..Fixture::options() });
    let topic = &fixture.topic;
    // By the second round the partition is paused.
    for round in 1..=3 {
        fixture.kafka.produce(topic, (0..10).map(|number| record("key", number.to_string()))).await;
        shows(format!(r#"millrace_consumer_lag_records{{consumer="test",topic="{topic}"}} {}"#, round * 10)).await;
    }
    shows(format!(r#"millrace_consumer_in_flight_records{{consumer="test",topic="{topic}"}} 1"#)).await;
    // Each round has a record that waits.
    let released = async {
        loop {
            release.notify_one();
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = released => unreachable!("it goes on"),
        () = fixture.until_committed(30) => {}
    }
    shows(format!(r#"millrace_consumer_lag_records{{consumer="test",topic="{topic}"}} 0"#)).await;
    member.stop().await;
}
