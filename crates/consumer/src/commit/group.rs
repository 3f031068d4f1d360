//! Commits to the group: low watermarks with completed offsets, one commit at a time; one that was not answered does not
//! count.

use std::task::{Context as TaskContext, Poll};

use millrace_kafka::error::ClientError;
use rdkafka::consumer::StreamConsumer;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode as Code};
use tokio::time::Instant;

use crate::assignment::{Assignment, Frontier, RecordHandle};
use crate::commit::{CommitPolicy, OffsetCommitter, Output};
use crate::context::Context;
use crate::error::ConsumerError;
use crate::progress::Progress;
use crate::telemetry::{CommitMetrics, MemberMetrics, store};
use millrace_kafka::commit_async;
use millrace_kafka::failpoint;

/// Commits offsets to the group coordinator.
pub(crate) struct GroupCommitter<'c> {
    client: &'c StreamConsumer<Context>,
    progress: &'c Progress,
    /// Frontiers on their way to the broker.
    unanswered: Option<(Instant, Vec<Frontier>)>,
    metrics: CommitMetrics,
}

impl<'c> GroupCommitter<'c> {
    pub(crate) fn new(client: &'c StreamConsumer<Context>, progress: &'c Progress, metrics: &MemberMetrics) -> Self {
        Self { client, progress, unanswered: None, metrics: metrics.commits(store::GROUP) }
    }

    /// Sends these frontiers; none may be on its way.
    pub(crate) fn send(&mut self, frontiers: Vec<Frontier>, assignment: &Assignment) {
        failpoint!("offsets.done");
        match commit_async(self.client, &assignment.offsets(&frontiers)) {
            Ok(()) => {
                failpoint!("offsets.sent");
                self.unanswered = Some((Instant::now(), frontiers));
            }
            Err(error) => {
                self.metrics.failed();
                tracing::warn!(error = %ClientError(error), "commit not sent, retrying");
            }
        }
    }
}

impl OffsetCommitter<()> for GroupCommitter<'_> {
    fn policy(&self) -> CommitPolicy {
        CommitPolicy::Interval
    }

    fn stage(&mut self, _lease: RecordHandle, _output: Output<()>) {}

    fn waiting(&self) -> usize {
        0
    }

    fn commit(&mut self, assignment: &mut Assignment, _closing: bool) {
        if self.unanswered.is_some() {
            return;
        }
        let frontiers = assignment.uncommitted();
        if !frontiers.is_empty() {
            self.send(frontiers, assignment);
        }
    }

    /// Answers come as events of the client.
    fn poll(
        &mut self,
        _context: &mut TaskContext<'_>,
        _assignment: &mut Assignment,
    ) -> Poll<Result<(), ConsumerError>> {
        Poll::Pending
    }

    fn answered(&mut self, result: KafkaResult<()>, assignment: &mut Assignment) {
        let Some((sent, frontiers)) = self.unanswered.take() else { return };
        match result {
            Ok(()) => {
                self.metrics.committed(sent.elapsed());
                failpoint!("offsets.committed");
                for frontier in frontiers {
                    assignment.committed(frontier, self.progress);
                }
            }
            Err(error) if error.rdkafka_error_code() == Some(Code::OffsetMetadataTooLarge) => {
                self.metrics.failed();
                tracing::warn!(
                    "commit metadata too large for the broker (offset.metadata.max.bytes): completed offsets beyond the \
                     low watermark are not committed, and their records may be processed again after a restart"
                );
                assignment.commit_watermarks_only();
            }
            // During a rebalance the broker refuses commits; what is still owned afterwards is committed then.
            Err(error) => {
                self.metrics.failed();
                tracing::warn!(error = %ClientError(error), "commit failed, retrying");
            }
        }
    }

    fn is_committing(&self) -> bool {
        self.unanswered.is_some()
    }
}
