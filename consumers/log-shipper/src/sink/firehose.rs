//! Sends entries to a Firehose stream; of a call, those that failed are sent again.
//!
//! `PutRecordBatch` answers 200 although it took only some entries, or none: which, its answer says entry by entry.

use std::time::Duration;

use aws_sdk_firehose::Client;
use aws_sdk_firehose::config::retry::RetryConfig;
use aws_sdk_firehose::config::timeout::TimeoutConfig;
use aws_sdk_firehose::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_firehose::operation::put_record_batch::{PutRecordBatchError, PutRecordBatchOutput};
use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::Record;
use metrics::Counter;
use millrace_consumer::{Attempt, BatchError, Refused};
use millrace_domain::Backoff;
use tokio::sync::OnceCell;

use crate::line::Line;
use crate::sink::packing::{ENTRY_LIMIT, Packed, call_size, pack};

/// How long a call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// Delays between calls that did not take all entries.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(5) };

/// From which attempt on it is logged that entries are not taken: a stream that is throttled takes the rest soon.
const LOGGED_ATTEMPT: u32 = 3;

/// The counter of entries.
const ENTRIES_TOTAL: &str = "millrace_log_shipper_firehose_entries_total";

/// The counter of bytes.
const BYTES_TOTAL: &str = "millrace_log_shipper_firehose_bytes_total";

/// A Firehose stream.
#[derive(Debug)]
pub(crate) struct FirehoseSink {
    stream: String,
    client: OnceCell<Client>,
    taken: Counter,
    failed: Counter,
    bytes: Counter,
}

/// What became of a call.
enum Answer {
    /// All entries are taken but these, by their index; and why not.
    Failed(Vec<usize>, String),
    /// None is, and none will be.
    Fatal(String),
}

impl FirehoseSink {
    pub(crate) fn new(stream: String) -> Self {
        metrics::describe_counter!(
            ENTRIES_TOTAL,
            "Records put into the Firehose stream, many lines each, by result: taken, or failed (and sent again)"
        );
        metrics::describe_counter!(BYTES_TOTAL, metrics::Unit::Bytes, "Bytes that the Firehose stream has taken");
        let counter = |result: &'static str| metrics::counter!(ENTRIES_TOTAL, "result" => result);
        let (taken, failed, bytes) = (counter("taken"), counter("failed"), metrics::counter!(BYTES_TOTAL));
        Self { stream, client: OnceCell::new(), taken, failed, bytes }
    }

    /// Whether the stream is there, as far as that can be told: its absence is a wrong setting, and all else may pass.
    pub(crate) async fn check(&self) -> Result<(), String> {
        let described = self.client().await.describe_delivery_stream().delivery_stream_name(&self.stream).send().await;
        match described {
            Err(SdkError::ServiceError(error)) if error.err().is_resource_not_found_exception() => {
                Err(format!("there is no Firehose stream {} in this account and region", self.stream))
            }
            Err(error) => {
                let error = DisplayErrorContext(&error).to_string();
                tracing::warn!(stream = self.stream, error, "looking up the Firehose stream failed, going on");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    pub(crate) async fn write(&self, lines: &[Line<'_>], attempt: &Attempt<'_>) -> Result<Vec<Refused>, BatchError> {
        let Packed { mut entries, too_large } = pack(lines);
        while !entries.is_empty() {
            let rest = entries.split_off(call_size(&entries));
            self.send(std::mem::replace(&mut entries, rest), attempt).await?;
        }
        let reason = format!("as a line it is larger than the {ENTRY_LIMIT} bytes that Firehose takes");
        Ok(too_large.into_iter().map(|index| Refused { index, reason: reason.clone() }).collect())
    }

    /// Sends entries, as many as go into a call, until all are taken.
    async fn send(&self, mut entries: Vec<Vec<u8>>, attempt: &Attempt<'_>) -> Result<(), BatchError> {
        for number in 1.. {
            let (sent, bytes) = (entries.len(), entries.iter().map(Vec::len).sum::<usize>());
            let (failed, reason) = match self.call(&entries).await {
                Answer::Failed(failed, reason) => (failed, reason),
                Answer::Fatal(reason) => return Err(BatchError::Fatal { reason }),
            };
            let left: Vec<Vec<u8>> =
                failed.into_iter().filter_map(|index| entries.get_mut(index).map(std::mem::take)).collect();
            self.taken.increment((sent - left.len()) as u64);
            self.bytes.increment((bytes - left.iter().map(Vec::len).sum::<usize>()) as u64);
            if left.is_empty() {
                return Ok(());
            }
            self.failed.increment(left.len() as u64);
            let delay = BACKOFF.delay(number, None, &mut rand::rng());
            if number >= LOGGED_ATTEMPT {
                let (stream, left) = (&self.stream, left.len());
                tracing::warn!(
                    stream,
                    sent,
                    left,
                    number,
                    ?delay,
                    reason,
                    "Firehose did not take all, sending the rest again"
                );
            }
            entries = left;
            if attempt.until_revoked(tokio::time::sleep(delay)).await.is_none() {
                return Err(BatchError::Unavailable { reason });
            }
        }
        Ok(())
    }

    async fn call(&self, entries: &[Vec<u8>]) -> Answer {
        let records = entries.iter().map(|entry| Record::builder().data(Blob::new(entry.as_slice())).build());
        let records = match records.collect() {
            Ok(records) => records,
            Err(error) => return Answer::Fatal(error.to_string()),
        };
        let call = self.client().await.put_record_batch();
        match call.delivery_stream_name(&self.stream).set_records(Some(records)).send().await {
            Ok(output) => failed_entries(&output, entries.len()),
            Err(error) => {
                let reason = DisplayErrorContext(&error).to_string();
                if is_fatal(&error) {
                    Answer::Fatal(reason)
                } else {
                    Answer::Failed((0..entries.len()).collect(), reason)
                }
            }
        }
    }

    async fn client(&self) -> &Client {
        let connect = || async {
            // What was taken of a call is known here alone: the SDK would send all of it again.
            let timeouts = TimeoutConfig::builder().operation_timeout(CALL_TIMEOUT).build();
            let config = millrace_aws::config().retry_config(RetryConfig::disabled()).timeout_config(timeouts);
            Client::new(&config.load().await)
        };
        self.client.get_or_init(connect).await
    }
}

/// The entries that an answer says were not taken.
fn failed_entries(output: &PutRecordBatchOutput, sent: usize) -> Answer {
    let answers = output.request_responses();
    if answers.len() != sent {
        // It does not say which: all count as failed.
        return Answer::Failed((0..sent).collect(), format!("an answer of {} entries to {sent}", answers.len()));
    }
    let failed = answers.iter().enumerate().filter(|(_, answer)| answer.error_code().is_some());
    let reason = failed.clone().next().map(|(_, answer)| {
        format!("{}: {}", answer.error_code().unwrap_or_default(), answer.error_message().unwrap_or_default())
    });
    Answer::Failed(failed.map(|(index, _)| index).collect(), reason.unwrap_or_default())
}

/// Whether a call can never be answered otherwise.
fn is_fatal(error: &SdkError<PutRecordBatchError>) -> bool {
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    matches!(code, Some("InvalidArgumentException" | "ResourceNotFoundException" | "InvalidSourceException"))
        || matches!(error, SdkError::ConstructionFailure(_))
}
