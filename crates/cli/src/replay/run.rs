//! One run: reads, filters, batches and replays dead letters.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use millrace_domain::ErrorClass;
use millrace_kafka::producer::TransactionError;
use millrace_kafka::{ProduceError, Record};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Args;
use super::dead_letter_record::DeadLetterRecord;
use super::filter::Filter;
use super::progress::Progress;
use super::rate_limit::RateLimit;
use super::replayer::{ReplayError, Replayer};
use super::scan::Scan;
use super::stats::Stats;

/// How long a batch waits to fill.
const BATCH_TIMEOUT: Duration = Duration::from_millis(200);

/// Maximum bytes of a batch.
const BATCH_BYTES_LIMIT: usize = 4 << 20;

/// State of a run.
pub(super) struct Run {
    topic: String,
    filter: Filter,
    scan: Scan,
    /// `None` in a dry run.
    replayer: Option<Replayer>,
    /// The existing topics with their number of partitions.
    topics: BTreeMap<String, i32>,
    rate_limit: RateLimit,
    batch: Vec<DeadLetterRecord>,
    stats: Stats,
    progress: Progress,
    holds_dead_letters: bool,
}

impl Run {
    pub(super) fn new(
        args: &Args,
        scan: Scan,
        replayer: Option<Replayer>,
        topics: BTreeMap<String, i32>,
        holds_dead_letters: bool,
    ) -> Self {
        Self {
            holds_dead_letters,
            topic: args.topic.clone(),
            filter: args.filter.clone(),
            progress: Progress::new(scan.left()),
            scan,
            replayer,
            topics,
            rate_limit: RateLimit::new(args.rate),
            batch: Vec::new(),
            stats: Stats::default(),
        }
    }

    /// Runs to the end of the scan, or until `shutdown`; dead letters that were read but not replayed stay.
    pub(super) async fn drive(&mut self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let mut due = Instant::now();
        loop {
            let waiting = !self.batch.is_empty();
            let found = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep_until(due), if waiting => None,
                next = self.scan.next() => match next? {
                    Some(record) => Some(read(&record)),
                    None => break,
                },
            };
            match found {
                Some(Ok(dead_letter)) => self.classify(dead_letter)?,
                Some(Err(report)) => {
                    self.stats.foreign += 1;
                    self.progress.print(format_args!("{}/{report}", self.topic));
                }
                None => self.write(shutdown).await?,
            }
            if !waiting {
                due = Instant::now() + BATCH_TIMEOUT;
            }
            if self.batch.len() >= self.rate_limit.batch()
                || self.batch.iter().map(DeadLetterRecord::size).sum::<usize>() >= BATCH_BYTES_LIMIT
            {
                self.write(shutdown).await?;
            }
            self.progress.update(self.scan.left(), self.stats.replayed);
        }
        if shutdown.is_cancelled() { Ok(()) } else { self.write(shutdown).await }
    }

    /// The counts so far.
    pub(super) fn stats(&self) -> Stats {
        Stats { unread: self.scan.left() + self.batch.len() as u64, ..self.stats }
    }

    /// Whether the topic held dead letters at the start, replayed before or not.
    pub(super) fn holds_dead_letters(&self) -> bool {
        self.holds_dead_letters
    }

    fn classify(&mut self, dead_letter: DeadLetterRecord) -> anyhow::Result<()> {
        if !self.filter.passes(&dead_letter.source, dead_letter.written, dead_letter.id.as_str()) {
            self.stats.skipped += 1;
            return Ok(());
        }
        let partitions = match (&dead_letter.no_source, self.topics.get(&dead_letter.source.topic)) {
            (Some(reason), _) => Err(reason.to_string()),
            (None, None) => Err(format!("there is no topic {:?}", dead_letter.source.topic)),
            (None, Some(&partitions)) => Ok(partitions),
        };
        match partitions {
            Err(reason) => self.fail(&dead_letter, &reason),
            Ok(_) if self.replayer.is_none() => {
                self.stats.replayed += 1;
                writeln!(std::io::stdout(), "{}/{dead_letter}", self.topic)?;
            }
            Ok(partitions) => self.batch.push(dead_letter.at_partition_of(partitions)),
        }
        Ok(())
    }

    fn fail(&mut self, dead_letter: &DeadLetterRecord, reason: &str) {
        self.stats.failed += 1;
        self.progress.print(format_args!("{}/{dead_letter}\n  not replayed: {reason}", self.topic));
    }

    /// Replays the batch, once the rate limit allows.
    async fn write(&mut self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let Some(replayer) = &self.replayer else { return Ok(()) };
        if self.batch.is_empty() {
            return Ok(());
        }
        let due = self.rate_limit.reserve(self.batch.len());
        if shutdown.run_until_cancelled(tokio::time::sleep_until(due)).await.is_none() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        match replayer.replay(&batch, &mut self.scan.partitions).await {
            Ok(()) => self.stats.replayed += batch.len() as u64,
            Err(error) if rejection(&error).is_some() => return self.write_one_by_one(batch).await,
            Err(error) => {
                self.batch = batch;
                return Err(error).context(self.stopped());
            }
        }
        Ok(())
    }

    /// Replays one by one after a record of the batch was rejected, so that only that one fails.
    async fn write_one_by_one(&mut self, mut batch: Vec<DeadLetterRecord>) -> anyhow::Result<()> {
        batch.reverse();
        while let Some(dead_letter) = batch.pop() {
            let Some(replayer) = &self.replayer else { break };
            let Err(error) = replayer.replay(std::slice::from_ref(&dead_letter), &mut self.scan.partitions).await
            else {
                self.stats.replayed += 1;
                continue;
            };
            if let Some(reason) = rejection(&error) {
                self.fail(&dead_letter, &reason.to_string());
            } else {
                batch.push(dead_letter);
                self.batch = batch;
                return Err(error).context(self.stopped());
            }
        }
        Ok(())
    }

    fn stopped(&self) -> String {
        format!("replay of {} stopped; replayed offsets are committed, run it again to continue", self.topic)
    }
}

/// Parses a dead letter; the error has the record's position.
fn read(record: &Record<'_>) -> Result<DeadLetterRecord, String> {
    let position = format!("{}@{}", record.partition(), record.offset());
    DeadLetterRecord::read(record).map_err(|error| format!("{position} {error}"))
}

/// The non-transient error of a record that the topic rejects; other errors do not concern a single dead letter.
fn rejection(error: &ReplayError) -> Option<&ProduceError> {
    match error {
        ReplayError::Transaction(TransactionError::Record { source, .. })
            if source.class() != ErrorClass::Transient =>
        {
            Some(source)
        }
        _ => None,
    }
}
