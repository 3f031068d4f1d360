//! Commits: of frontiers only, one at a time, and none that was not answered counts.

use rdkafka::consumer::StreamConsumer;
use rdkafka::error::KafkaResult;

use super::context::Context;
use super::partitions::{Frontier, Partitions};
use super::progress::Progress;
use crate::ffi;

/// See the module's text.
pub(super) struct Committer<'c> {
    client: &'c StreamConsumer<Context>,
    progress: &'c Progress,
    /// Frontiers on their way to the broker.
    unanswered: Option<Vec<Frontier>>,
}

impl<'c> Committer<'c> {
    pub(super) fn new(client: &'c StreamConsumer<Context>, progress: &'c Progress) -> Self {
        Self { client, progress, unanswered: None }
    }

    /// Sends what is done and not committed yet, unless an answer is still awaited.
    pub(super) fn commit(&mut self, partitions: &Partitions) {
        if self.unanswered.is_some() {
            return;
        }
        let frontiers = partitions.uncommitted();
        if frontiers.is_empty() {
            return;
        }
        match ffi::commit(self.client, &partitions.offsets(&frontiers)) {
            Ok(()) => self.unanswered = Some(frontiers),
            Err(error) => tracing::warn!(%error, "a commit was not sent, trying again"),
        }
    }

    /// Takes the broker's answer.
    pub(super) fn answered(&mut self, result: KafkaResult<()>, partitions: &mut Partitions) {
        let frontiers = self.unanswered.take().unwrap_or_default();
        match result {
            Ok(()) => {
                for frontier in frontiers {
                    if let Some(slot) = partitions.committed(frontier) {
                        self.progress.set_position(&slot.topic, slot.partition, frontier.offset);
                    }
                }
            }
            // During a rebalance the broker refuses commits; what is still owned afterwards is committed then.
            Err(error) => tracing::warn!(%error, "a commit was refused, trying again"),
        }
    }

    /// Whether an answer is awaited.
    pub(super) fn is_waiting(&self) -> bool {
        self.unanswered.is_some()
    }
}
