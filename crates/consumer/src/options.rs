//! What a user can set of a consumer.

use std::time::Duration;

use clap::Args;
use millrace_domain::Backoff;
use rdkafka::ClientConfig;

use millrace_kafka::KafkaError;
use millrace_kafka::KafkaSettings;

const DRAIN_DEADLINE: Duration = Duration::from_secs(18);

/// Which topics are read, and as which group.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// The consumer's name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// The topics.
    pub topics: Vec<String>,
}

impl Subscription {
    /// The subscription of the consumer `name`, whose group is `millrace-<name>`.
    pub fn new(name: &str, topics: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            group: format!("millrace-{name}"),
            topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
        }
    }
}

/// How much is done at once, how often it is tried, and when to stop.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Consumer")]
pub struct ConsumerOptions {
    /// How many records are processed at the same time
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = at_least_one)]
    pub concurrency: usize,
    /// How many records may be in flight: processed, waiting for their key's turn, or backing off
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = at_least_one)]
    pub max_in_flight: usize,
    /// How many bytes of records may be in flight
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20, value_parser = at_least_one)]
    pub max_in_flight_bytes: usize,
    /// How many more records may wait on their topic, out of memory, while others pass them
    #[arg(long, value_name = "N", default_value_t = 250_000)]
    pub max_spilled: usize,
    /// How many records may wait in memory behind one key; where further ones cannot wait on their topic, their
    /// partition is paused
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = at_least_one)]
    pub key_queue_records: usize,
    /// How often a record is tried before it is dead-lettered
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_attempts: u32,
    /// Stop after this many records refused for good with none processed between, so that a bad deploy does not
    /// dead-letter a topic (0: never)
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub dead_letter_limit: u64,
    /// Static membership: an id that stays the same across restarts of this instance (Kafka's group.instance.id)
    #[arg(long, value_name = "ID")]
    pub group_instance_id: Option<String>,
    /// How many records of a partition a batch holds at most.
    #[arg(skip = 5_000_usize)]
    pub batch_records: usize,
    /// Delays between attempts.
    #[arg(skip)]
    pub backoff: Backoff,
    /// How often offsets are committed.
    #[arg(skip = Duration::from_millis(500))]
    pub commit_interval: Duration,
    /// How long a stop, or a partition that is taken away, waits for what is in flight. With the last commit, the
    /// goodbye to the group and the end of the process a stop takes at most 25 s.
    #[arg(skip = DRAIN_DEADLINE)]
    pub drain_deadline: Duration,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("must be a whole number".to_owned()),
    }
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        Self {
            concurrency: 1_000,
            max_in_flight: 10_000,
            max_in_flight_bytes: 64 << 20,
            max_spilled: 250_000,
            key_queue_records: 2_000,
            max_attempts: 5,
            dead_letter_limit: 1_000,
            group_instance_id: None,
            batch_records: 5_000,
            backoff: Backoff::default(),
            commit_interval: Duration::from_millis(500),
            drain_deadline: DRAIN_DEADLINE,
        }
    }
}

impl ConsumerOptions {
    /// How librdkafka fetches ahead. It pauses for `fetch.queue.backoff.ms` when its queue is full, and its default of
    /// a second leaves a fast consumer idle. A partition that goes on after a pause waits for the end of the fetch that
    /// is under way, up to `fetch.wait.max.ms` where the broker's other partitions have nothing new.
    pub const FETCH: [(&'static str, &'static str); 5] = [
        ("fetch.wait.max.ms", "100"),
        ("fetch.queue.backoff.ms", "5"),
        ("queued.min.messages", "50000"),
        ("queued.max.messages.kbytes", "16384"),
        ("fetch.error.backoff.ms", "100"),
    ];

    pub(crate) fn client_config(
        &self,
        kafka: &KafkaSettings,
        subscription: &Subscription,
    ) -> Result<ClientConfig, KafkaError> {
        let mut config = kafka.client_config(&subscription.name)?;
        config
            .set("group.id", &subscription.group)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", "10000")
            .set("heartbeat.interval.ms", "2000");
        for (name, value) in Self::FETCH {
            config.set(name, value);
        }
        if let Some(id) = &self.group_instance_id {
            config.set("group.instance.id", id);
        }
        kafka.override_in(&mut config);
        for (name, value) in &kafka.consumer_overrides {
            config.set(name, value);
        }
        Ok(config)
    }
}
