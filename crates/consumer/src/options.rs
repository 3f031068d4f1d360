//! What a user can set of a consumer.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use millrace_domain::Backoff;
use rdkafka::ClientConfig;

use millrace_kafka::KafkaError;
use millrace_kafka::{KafkaSettings, Record};

const REJOIN_TIMEOUT: Duration = Duration::from_mins(1);

const DRAIN_DEADLINE: Duration = Duration::from_secs(18);

/// Names the order key of a record whose own key is null; `None` where it has none. Records of a partition with the same
/// key, be it their own or named so, are processed one after the other.
pub type OrderKey = fn(&Record<'_>) -> Option<Vec<u8>>;

/// Which topics are read, as which group, and in which order.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// The consumer's name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// The topics.
    pub topics: Vec<String>,
    /// The order of records without a key; where there is none, they have no order among each other.
    pub order_key: Option<OrderKey>,
}

impl Subscription {
    /// The subscription of the consumer `name`, whose group is `millrace-<name>`.
    pub fn new(name: &str, topics: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            group: format!("millrace-{name}"),
            topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
            order_key: None,
        }
    }

    /// The same, with records without a key ordered by this one. For the keyed and the transactional mode.
    #[must_use]
    pub fn with_order_key(self, order_key: OrderKey) -> Self {
        Self { order_key: Some(order_key), ..self }
    }
}

/// Kafka's group protocol, as `group.protocol` names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum GroupProtocol {
    /// Members assign partitions among each other: every broker has it.
    #[default]
    Classic,
    /// The broker assigns partitions (KIP-848): Kafka 4.0 or later.
    Consumer,
}

/// When a batch of a partition's records begins: once it is full, or its first record has waited for `age`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// How many records it holds at most.
    pub records: usize,
    /// At how many bytes of keys and values it is full; its last record may go beyond.
    pub bytes: usize,
    /// How long it waits for more records. Zero: as long as the batch before it takes.
    pub age: Duration,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self { records: 5_000, bytes: usize::MAX, age: Duration::ZERO }
    }
}

/// How much is done at once, how often it is tried, and when to stop.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Consumer")]
pub struct ConsumerOptions {
    /// How many records are processed at the same time
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = at_least(1_usize))]
    pub concurrency: usize,
    /// How many records may be in flight: processed, waiting for their key's turn, or backing off
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = at_least(1_usize))]
    pub max_in_flight: usize,
    /// How many bytes of records may be in flight
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20, value_parser = at_least(1_usize))]
    pub max_in_flight_bytes: usize,
    /// How many more records may wait on their topic, out of memory, while others pass them
    #[arg(long, value_name = "N", default_value_t = 250_000, value_parser = at_least(0_usize))]
    pub max_spilled: usize,
    /// How many records may wait in memory behind one key; where further ones cannot wait on their topic, their
    /// partition is paused
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = at_least(1_usize))]
    pub key_queue_records: usize,
    /// How often a record is tried before it is dead-lettered
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least(1_u32))]
    pub max_attempts: u32,
    /// Stop after this many records of a topic refused for good with none processed between, so that a bad deploy does
    /// not dead-letter all of it (0: never)
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = at_least(0_u64))]
    pub dead_letter_limit: u64,
    /// Static membership: an id that stays the same across restarts of this instance (Kafka's group.instance.id)
    #[arg(long, value_name = "ID")]
    pub group_instance_id: Option<String>,
    /// Kafka's group.protocol. With `consumer` the broker sets session time-out and heartbeat interval. Stop all members of a
    /// group before it is moved from one protocol to the other
    #[arg(long, value_name = "PROTOCOL", value_enum, default_value_t = GroupProtocol::Classic)]
    pub group_protocol: GroupProtocol,
    /// When a batch of a partition's records begins, in the batch mode.
    #[arg(skip)]
    pub batch: BatchLimits,
    /// Delays between attempts.
    #[arg(skip)]
    pub backoff: Backoff,
    /// How long the coordinator may say that a member that owns nothing is none, or has partitions, before the consumer joins
    /// again with a new client. A member of a group that rebalances is one, however long it takes.
    #[arg(skip = REJOIN_TIMEOUT)]
    pub rejoin_timeout: Duration,
    /// How often offsets are committed.
    #[arg(skip = Duration::from_millis(500))]
    pub commit_interval: Duration,
    /// How long a stop, or a partition that is taken away, waits for what is in flight. With the last commit, the
    /// leaving of the group and the end of the process a stop takes at most 25 s.
    #[arg(skip = DRAIN_DEADLINE)]
    pub drain_deadline: Duration,
}

fn at_least<T>(least: T) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let number = text.parse().ok().filter(|number| *number >= least);
        number.ok_or_else(|| format!("must be a whole number, at least {least}"))
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
            group_protocol: GroupProtocol::Classic,
            batch: BatchLimits::default(),
            backoff: Backoff::default(),
            rejoin_timeout: REJOIN_TIMEOUT,
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

    /// One of `members` equal shares of the limits: what is in flight, processed and spilled by all of them together
    /// stays within these options.
    #[must_use]
    pub fn share_of(&self, members: usize) -> Self {
        let members = members.max(1);
        let share = |limit: usize| (limit / members).max(1);
        Self {
            concurrency: share(self.concurrency),
            max_in_flight: share(self.max_in_flight),
            max_in_flight_bytes: share(self.max_in_flight_bytes),
            max_spilled: self.max_spilled / members,
            ..self.clone()
        }
    }

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
            .set("isolation.level", "read_committed");
        match self.group_protocol {
            GroupProtocol::Classic => config
                .set("partition.assignment.strategy", "cooperative-sticky")
                .set("session.timeout.ms", "10000")
                .set("heartbeat.interval.ms", "2000"),
            // The broker's own; librdkafka refuses these three.
            GroupProtocol::Consumer => config.set("group.protocol", "consumer"),
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn config(group_protocol: GroupProtocol) -> ClientConfig {
        let options = ConsumerOptions { group_protocol, ..ConsumerOptions::default() };
        options
            .client_config(&KafkaSettings::plaintext("broker:9092"), &Subscription::new("test", &["orders"]))
            .unwrap()
    }

    /// librdkafka refuses them: the broker decides.
    #[test]
    fn the_consumer_protocol_leaves_out_classic_settings() {
        let classic_only = ["session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"];
        let classic = config(GroupProtocol::Classic);
        assert!(classic_only.iter().all(|name| classic.get(name).is_some()));
        assert_eq!(classic.get("group.protocol"), None);
        let consumer = config(GroupProtocol::Consumer);
        assert!(classic_only.iter().all(|name| consumer.get(name).is_none()));
        assert_eq!(consumer.get("group.protocol"), Some("consumer"));
    }

    #[test]
    fn shares_stay_within_the_limits_and_above_zero() {
        let options =
            ConsumerOptions { concurrency: 1, max_in_flight: 101, max_spilled: 1, ..ConsumerOptions::default() };
        let share = options.share_of(2);
        assert_eq!((share.concurrency, share.max_in_flight, share.max_spilled), (1, 50, 0));
        assert_eq!(options.share_of(1).max_in_flight, 101);
    }
}
