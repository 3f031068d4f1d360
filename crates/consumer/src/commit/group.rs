//! Commits to the group: low watermarks with completed offsets, one commit at a time; one that was not answered does not
//! count.

use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use millrace_kafka::error::ClientError;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode as Code};
use tokio::time::Instant;

use crate::assignment::{Assignment, Frontier, RecordHandle};
use crate::client::Client;
use crate::commit::{CommitPolicy, OffsetCommitter, Output};
use crate::error::ConsumerError;
use crate::options::Subscription;
use crate::progress::Progress;
use crate::telemetry::{CommitMetrics, MemberMetrics, store};
use millrace_kafka::failpoint;

/// How long a commit waits after one that failed. During a rebalance the broker refuses commits at once, and a revocation
/// asks for one whenever something happens.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// Commits offsets to the group coordinator.
pub(crate) struct GroupCommitter<'c> {
    client: &'c dyn Client,
    progress: &'c Progress,
    /// Frontiers on their way to the broker.
    unanswered: Option<(Instant, Vec<Frontier>)>,
    /// Until when the last failure puts off the next commit.
    retry_at: Option<Instant>,
    metrics: CommitMetrics,
    /// The consumer's name and the member's topics, for logs.
    consumer: &'c str,
    topics: String,
}

impl<'c> GroupCommitter<'c> {
    pub(crate) fn new(
        client: &'c dyn Client,
        progress: &'c Progress,
        metrics: &MemberMetrics,
        subscription: &'c Subscription,
    ) -> Self {
        Self {
            client,
            progress,
            unanswered: None,
            retry_at: None,
            metrics: metrics.commits(store::GROUP),
            consumer: &subscription.name,
            topics: subscription.topics.join(","),
        }
    }

    fn failed(&mut self) {
        self.metrics.failed();
        self.retry_at = Some(Instant::now() + RETRY_DELAY);
    }

    /// Sends these frontiers; none may be on its way.
    pub(crate) fn send(&mut self, frontiers: Vec<Frontier>, assignment: &Assignment) {
        failpoint!("offsets.done");
        match self.client.commit(&assignment.offsets(&frontiers)) {
            Ok(()) => {
                failpoint!("offsets.sent");
                self.unanswered = Some((Instant::now(), frontiers));
            }
            Err(error) => {
                self.failed();
                let Self { consumer, topics, .. } = self;
                tracing::warn!(consumer, topics, error = %ClientError(error), "commit not sent, retrying");
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
        if self.unanswered.is_some() || self.retry_at.is_some_and(|retry_at| Instant::now() < retry_at) {
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
                let Self { consumer, topics, .. } = self;
                tracing::warn!(
                    consumer,
                    topics,
                    "commit metadata too large for the broker (offset.metadata.max.bytes): completed offsets beyond the \
                     low watermark are not committed, and their records may be processed again after a restart"
                );
                assignment.commit_watermarks_only();
            }
            // During a rebalance the broker refuses commits; what is still owned afterwards is committed then.
            Err(error) => {
                self.failed();
                let Self { consumer, topics, .. } = self;
                tracing::warn!(consumer, topics, error = %ClientError(error), "commit failed, retrying");
            }
        }
    }

    fn is_committing(&self) -> bool {
        self.unanswered.is_some()
    }
}

#[cfg(test)]
mod tests {
    use millrace_kafka::KafkaSettings;
    use rdkafka::consumer::StreamConsumer;
    use rdkafka::error::KafkaError as RdKafkaError;

    use super::*;
    use crate::assignment::watch::AssignmentWatch;
    use crate::context::Context;
    use crate::options::ConsumerOptions;
    use crate::start_offsets::StartOffset;

    /// A revocation asks for a commit whenever something happens, and a broker that rebalances refuses at once.
    #[tokio::test(start_paused = true)]
    async fn a_refused_commit_is_repeated_after_a_delay() {
        let (settings, subscription) =
            (KafkaSettings::plaintext("127.0.0.1:9"), Subscription::new("test", &["orders"]));
        let config = ConsumerOptions::default().client_config(&settings, &subscription).unwrap();
        let client: StreamConsumer<Context> = config.create_with_context(Context::new(&settings).unwrap()).unwrap();
        let (progress, metrics) = (Progress::default(), MemberMetrics::new(&subscription));
        let mut committer = GroupCommitter::new(&client, &progress, &metrics, &subscription);
        let mut assignment = Assignment::new(committer.policy(), AssignmentWatch::default());
        assignment.assign("orders", 0, StartOffset::Unknown);
        let handle = assignment.acquire("orders", 0, 0, 1).unwrap();
        assignment.end(handle, true);

        committer.commit(&mut assignment, true);
        assert!(committer.is_committing());
        committer.answered(Err(RdKafkaError::ConsumerCommit(Code::RebalanceInProgress)), &mut assignment);
        committer.commit(&mut assignment, true);
        assert!(!committer.is_committing());
        tokio::time::advance(RETRY_DELAY).await;
        committer.commit(&mut assignment, true);
        assert!(committer.is_committing());
        // Closing it would wait ten seconds for a broker that takes the commits.
        std::mem::forget(client);
    }
}
