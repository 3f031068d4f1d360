//! The consumer runtime, compared with a bare loop over librdkafka with the same settings.
#![allow(missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use millrace_bench::{Fixture, Measurement, Process, Sample, median};
use millrace_consumer::{Attempt, Consumer, ConsumerOptions, Outcome, Processor, Subscription};
use millrace_kafka::producer::ProducerSettings;
use millrace_kafka::{KafkaSettings, Producer, ProducerRecord, Record};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Header, OwnedHeaders};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const TOPIC: &str = "bench";
const RECORDS: u64 = 1_000_000;
const KEYS: u64 = 10_000;
const RUNS: usize = 3;

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let fixture = Fixture::start(&[(TOPIC, 6), ("bench.dlq", 1)]).await?;
        let kafka = KafkaSettings::plaintext(fixture.bootstrap_servers());
        fill(&kafka).await?;
        let (mut bare, mut pass, mut keyed) = (Vec::new(), Vec::new(), Vec::new());
        for run in 0..RUNS {
            bare.push(bare_loop(&kafka, run)?);
            pass.push(runtime_run(&kafka, &format!("pass-{run}"), Duration::ZERO).await?);
            keyed.push(runtime_run(&kafka, &format!("keyed-{run}"), Duration::from_millis(1)).await?);
        }
        let (Some(bare), Some(pass), Some(keyed)) = (median(bare), median(pass), median(keyed)) else {
            anyhow::bail!("no runs");
        };
        println!("consumer, {RECORDS} records of 200 bytes and 7 headers, {KEYS} keys, median of {RUNS} runs");
        println!("  bare librdkafka loop            {bare}");
        println!(
            "  runtime, no-op processor        {pass}   {:.0} % of the bare loop",
            100.0 * pass.rate() / bare.rate()
        );
        println!("  runtime, 1 ms a record, 1,000 in flight {keyed}");
        Ok(())
    })
}

async fn fill(kafka: &KafkaSettings) -> anyhow::Result<()> {
    let settings = ProducerSettings { linger: Duration::from_millis(20), ..ProducerSettings::default() };
    let producer = Producer::new(kafka, &settings)?;
    let value = "x".repeat(200);
    let headers = ["ce_id", "ce_type", "ce_source", "ce_time", "ce_specversion", "content-type", "traceparent"];
    for start in (0..RECORDS).step_by(10_000) {
        let keys: Vec<String> =
            (start..start + 10_000).map(|number| format!("user-{}", number * 7919 % KEYS)).collect();
        let records = keys.iter().map(|key| ProducerRecord {
            topic: TOPIC,
            partition: None,
            key: Some(key.as_bytes()),
            value: Some(value.as_bytes()),
            headers: headers.iter().fold(OwnedHeaders::new(), |all, key| {
                all.insert(Header { key, value: Some("0198c0de-7a11-7000-8000-000000000001") })
            }),
        });
        for report in producer.send_all(records.collect()).await {
            report?;
        }
    }
    Ok(())
}

fn bare_loop(kafka: &KafkaSettings, run: usize) -> anyhow::Result<Sample> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &kafka.bootstrap_servers)
        .set("group.id", format!("bare-{run}"))
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("partition.assignment.strategy", "cooperative-sticky");
    for (name, value) in ConsumerOptions::FETCH {
        config.set(name, value);
    }
    let consumer: BaseConsumer = config.create()?;
    consumer.subscribe(&[TOPIC])?;
    let mut measurement = None;
    let mut read = 0;
    while read < RECORDS {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            message?;
            if read == 0 {
                measurement = Some(Measurement::begin(Process::This)?);
            }
            read += 1;
        }
    }
    measurement.ok_or_else(|| anyhow::anyhow!("nothing was read"))?.end(RECORDS)
}

struct CountingProcessor {
    pause: Duration,
    done: AtomicU64,
    first: Notify,
    last: Notify,
}

impl Processor for &CountingProcessor {
    type Product = ();

    async fn process(&self, _record: &Record<'_>, _attempt: &Attempt<'_>) -> Outcome {
        if !self.pause.is_zero() {
            tokio::time::sleep(self.pause).await;
        }
        match self.done.fetch_add(1, Ordering::Relaxed) + 1 {
            1 => self.first.notify_one(),
            RECORDS => self.last.notify_one(),
            _ => {}
        }
        Outcome::DONE
    }
}

async fn runtime_run(kafka: &KafkaSettings, group: &str, pause: Duration) -> anyhow::Result<Sample> {
    let producer = Producer::new(kafka, &ProducerSettings::default())?;
    let processor: &'static CountingProcessor = Box::leak(Box::new(CountingProcessor {
        pause,
        done: AtomicU64::new(0),
        first: Notify::new(),
        last: Notify::new(),
    }));
    let shutdown = CancellationToken::new();
    let consumer =
        Consumer::new(kafka.clone(), Subscription::new(group, &[TOPIC]), ConsumerOptions::default(), producer);
    let running = tokio::spawn({
        let shutdown = shutdown.clone();
        let processor = Arc::new(processor);
        async move { consumer.run_keyed(&*processor, None, shutdown).await }
    });
    processor.first.notified().await;
    let measurement = Measurement::begin(Process::This)?;
    processor.last.notified().await;
    let sample = measurement.end(RECORDS)?;
    shutdown.cancel();
    running.await??;
    Ok(sample)
}
