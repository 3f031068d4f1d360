//! One run: letters are read, filtered, gathered and written back.

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
use super::filter::Filter;
use super::letter::Letter;
use super::progress::Progress;
use super::rate_limit::RateLimit;
use super::replayer::{CopyError, Replayer};
use super::scan::Scan;
use super::stats::Stats;

/// How long a letter waits for others to go with it.
const GATHER: Duration = Duration::from_millis(200);

/// How many bytes of letters go together.
const BATCH_BYTES: usize = 4 << 20;

/// See the module's text.
pub(super) struct Run {
    topic: String,
    filter: Filter,
    scan: Scan,
    /// `None` in a dry run.
    copier: Option<Replayer>,
    /// The topics that exist, with their number of partitions.
    topics: BTreeMap<String, i32>,
    pace: RateLimit,
    batch: Vec<Letter>,
    tally: Stats,
    progress: Progress,
    holds_letters: bool,
}

impl Run {
    pub(super) fn new(
        args: &Args,
        scan: Scan,
        copier: Option<Replayer>,
        topics: BTreeMap<String, i32>,
        holds_letters: bool,
    ) -> Self {
        Self {
            holds_letters,
            topic: args.topic.clone(),
            filter: args.filter.clone(),
            progress: Progress::new(scan.left()),
            scan,
            copier,
            topics,
            pace: RateLimit::new(args.rate),
            batch: Vec::new(),
            tally: Stats::default(),
        }
    }

    /// Goes on to the end of the pass, or until `shutdown`; letters that were read and not written stay.
    pub(super) async fn finish(&mut self, shutdown: &CancellationToken) -> anyhow::Result<()> {
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
                Some(Ok(letter)) => self.sort(letter)?,
                Some(Err(report)) => {
                    self.tally.foreign += 1;
                    self.progress.tell(format_args!("{}/{report}", self.topic));
                }
                None => self.write(shutdown).await?,
            }
            if !waiting {
                due = Instant::now() + GATHER;
            }
            if self.batch.len() >= self.pace.batch()
                || self.batch.iter().map(Letter::size).sum::<usize>() >= BATCH_BYTES
            {
                self.write(shutdown).await?;
            }
            self.progress.update(self.scan.left(), self.tally.replayed);
        }
        if shutdown.is_cancelled() { Ok(()) } else { self.write(shutdown).await }
    }

    /// What became of the letters so far.
    pub(super) fn tally(&self) -> Stats {
        Stats { unread: self.scan.left() + self.batch.len() as u64, ..self.tally }
    }

    /// Whether there were letters when the run began, replayed before or not.
    pub(super) fn holds_letters(&self) -> bool {
        self.holds_letters
    }

    fn sort(&mut self, letter: Letter) -> anyhow::Result<()> {
        if !self.filter.passes(&letter.about, letter.written, letter.id.as_str()) {
            self.tally.passed_over += 1;
            return Ok(());
        }
        let partitions = match (&letter.stuck, self.topics.get(&letter.about.topic)) {
            (Some(reason), _) => Err(reason.to_string()),
            (None, None) => Err(format!("there is no topic {:?}", letter.about.topic)),
            (None, Some(&partitions)) => Ok(partitions),
        };
        match partitions {
            Err(reason) => self.fail(&letter, &reason),
            Ok(_) if self.copier.is_none() => {
                self.tally.replayed += 1;
                writeln!(std::io::stdout(), "{}/{letter}", self.topic)?;
            }
            Ok(partitions) => self.batch.push(letter.addressed(partitions)),
        }
        Ok(())
    }

    fn fail(&mut self, letter: &Letter, reason: &str) {
        self.tally.failed += 1;
        self.progress.tell(format_args!("{}/{letter}\n  not replayed: {reason}", self.topic));
    }

    /// Writes the letters gathered so far, when the rate allows.
    async fn write(&mut self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let Some(copier) = &self.copier else { return Ok(()) };
        if self.batch.is_empty() {
            return Ok(());
        }
        let due = self.pace.reserve(self.batch.len());
        if shutdown.run_until_cancelled(tokio::time::sleep_until(due)).await.is_none() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        match copier.copy(&batch, &mut self.scan.partitions).await {
            Ok(()) => self.tally.replayed += batch.len() as u64,
            Err(error) if refusal(&error).is_some() => return self.write_one_by_one(batch).await,
            Err(error) => {
                self.batch = batch;
                return Err(error).context(self.explanation());
            }
        }
        Ok(())
    }

    /// After a letter was refused: the others go without it.
    async fn write_one_by_one(&mut self, mut batch: Vec<Letter>) -> anyhow::Result<()> {
        batch.reverse();
        while let Some(letter) = batch.pop() {
            let Some(copier) = &self.copier else { break };
            let Err(error) = copier.copy(std::slice::from_ref(&letter), &mut self.scan.partitions).await else {
                self.tally.replayed += 1;
                continue;
            };
            if let Some(reason) = refusal(&error) {
                self.fail(&letter, &reason.to_string());
            } else {
                batch.push(letter);
                self.batch = batch;
                return Err(error).context(self.explanation());
            }
        }
        Ok(())
    }

    fn explanation(&self) -> String {
        format!("replaying {} stopped; what was replayed is recorded, run it again to go on", self.topic)
    }
}

/// Reads a letter, or says what the record is that is none.
fn read(record: &Record<'_>) -> Result<Letter, String> {
    let place = format!("{}@{}", record.partition(), record.offset());
    Letter::read(record).map_err(|error| format!("{place} {error}"))
}

/// Why the topic will not have one of the records, now or later; other errors are not a letter's fault.
fn refusal(error: &CopyError) -> Option<&ProduceError> {
    match error {
        CopyError::Transaction(TransactionError::Record { source, .. }) if source.class() != ErrorClass::Transient => {
            Some(source)
        }
        _ => None,
    }
}
