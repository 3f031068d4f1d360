//! Reads a topic from given offsets, outside of any consumer group: for tools.

use std::collections::BTreeMap;

use millrace_domain::ErrorClass;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError as RdKafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};

use crate::error::{ClientError, KafkaError, class_of};
use crate::logging_context::LoggingContext;
use crate::record::Record;
use crate::settings::KafkaSettings;

/// What a [`Reader`] read.
#[derive(Debug)]
pub enum Read<'a> {
    /// A record.
    Record(Record<'a>),
    /// The current end of this partition.
    End(i32),
}

/// Reads partitions of one topic, committed records only. It joins no group and commits nothing.
pub struct Reader {
    client: StreamConsumer<LoggingContext>,
}

impl Reader {
    /// Reads `topic` in the partitions of `from`, each from its offset, or from the log start offset where that is
    /// gone. `role` becomes part of the client id.
    ///
    /// # Errors
    /// [`KafkaError`] where the settings are wrong.
    pub fn new(
        settings: &KafkaSettings,
        role: &str,
        topic: &str,
        from: &BTreeMap<i32, i64>,
    ) -> Result<Self, KafkaError> {
        let fetch = [("fetch.wait.max.ms", "100"), ("queued.max.messages.kbytes", "16384")];
        Self::with(settings, role, &fetch, topic, from)
    }

    /// The same with librdkafka properties for fetching.
    ///
    /// # Errors
    /// [`KafkaError`] where the settings are wrong.
    pub fn with(
        settings: &KafkaSettings,
        role: &str,
        fetch: &[(&str, &str)],
        topic: &str,
        from: &BTreeMap<i32, i64>,
    ) -> Result<Self, KafkaError> {
        let mut config = settings.client_config(role)?;
        config
            // librdkafka assigns nothing to a client without a group. The client never joins it.
            .set("group.id", format!("millrace-{role}"))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true");
        for &(name, value) in fetch {
            config.set(name, value);
        }
        let context = LoggingContext::new(settings)?;
        let client: StreamConsumer<LoggingContext> =
            config.create_with_context(context).map_err(KafkaError::call("creating the reader"))?;
        let reader = Self { client };
        reader.go_to(topic, from)?;
        Ok(reader)
    }

    /// Replaces the assignment, as in [`new`](Self::new).
    ///
    /// # Errors
    /// [`KafkaError::Call`] where the client cannot.
    pub fn go_to(&self, topic: &str, from: &BTreeMap<i32, i64>) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::new();
        for (&partition, &offset) in from {
            list.add_partition_offset(topic, partition, Offset::Offset(offset))
                .map_err(KafkaError::call("assigning partitions"))?;
        }
        self.client.assign(&list).map_err(KafkaError::call("assigning partitions"))
    }

    /// Waits for the next record, also while brokers are unreachable. Cancel safe: dropping the future loses no record.
    ///
    /// # Errors
    /// [`KafkaError::Call`] on a fatal error: the topic does not exist, or access is denied.
    pub async fn next(&self) -> Result<Read<'_>, KafkaError> {
        loop {
            match self.client.recv().await {
                Ok(message) => return Ok(Read::Record(message.into())),
                Err(RdKafkaError::PartitionEOF(partition)) => return Ok(Read::End(partition)),
                Err(error) if is_fatal(&error) => return Err(KafkaError::call("reading")(error)),
                Err(error) => tracing::warn!(error = %ClientError(error), "fetch failed, retrying"),
            }
        }
    }
}

fn is_fatal(error: &RdKafkaError) -> bool {
    matches!(error, RdKafkaError::MessageConsumptionFatal(_))
        || error.rdkafka_error_code().is_some_and(|code| {
            let is_missing =
                matches!(code, Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition);
            is_missing || class_of(code) == ErrorClass::Fatal
        })
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}
