//! Commits: of frontiers only, one at a time, and none that was not answered counts.

use std::task::{Context as TaskContext, Poll};

use rdkafka::consumer::StreamConsumer;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode as Code};

use super::ConsumerError;
use super::context::Context;
use super::partitions::{Frontier, Lease, Partitions};
use super::progress::Progress;
use super::recorder::{Made, Recorder};
use crate::failpoint::failpoint;
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

    /// Sends these frontiers; none may be on its way.
    pub(super) fn send(&mut self, frontiers: Vec<Frontier>, partitions: &Partitions) {
        failpoint!("offsets.done");
        match ffi::commit(self.client, &partitions.offsets(&frontiers)) {
            Ok(()) => {
                failpoint!("offsets.sent");
                self.unanswered = Some(frontiers);
            }
            Err(error) => tracing::warn!(%error, "a commit was not sent, trying again"),
        }
    }
}

impl Recorder<()> for Committer<'_> {
    const EAGER: bool = false;
    const TELLS_ALL: bool = true;

    fn stage(&mut self, _lease: Lease, _made: Made<()>) {}

    fn waiting(&self) -> usize {
        0
    }

    fn record(&mut self, partitions: &mut Partitions, _closing: bool) {
        if self.unanswered.is_some() {
            return;
        }
        let frontiers = partitions.uncommitted();
        if !frontiers.is_empty() {
            self.send(frontiers, partitions);
        }
    }

    /// Answers come as notices.
    fn poll(
        &mut self,
        _context: &mut TaskContext<'_>,
        _partitions: &mut Partitions,
    ) -> Poll<Result<(), ConsumerError>> {
        Poll::Pending
    }

    fn answered(&mut self, result: KafkaResult<()>, partitions: &mut Partitions) {
        let frontiers = self.unanswered.take().unwrap_or_default();
        match result {
            Ok(()) => {
                failpoint!("offsets.committed");
                for frontier in frontiers {
                    partitions.committed(frontier, self.progress);
                }
            }
            Err(error) if error.rdkafka_error_code() == Some(Code::OffsetMetadataTooLarge) => {
                tracing::warn!(
                    "the broker keeps too little text with an offset (offset.metadata.max.bytes) to tell what is done \
                     out of turn: after a stop that may be done again"
                );
                partitions.tell_frontiers();
            }
            // During a rebalance the broker refuses commits; what is still owned afterwards is committed then.
            Err(error) => tracing::warn!(%error, "a commit was refused, trying again"),
        }
    }

    fn is_recording(&self) -> bool {
        self.unanswered.is_some()
    }
}
