//! The settings of the log shipper, for every host.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use clap::{Args, ValueEnum};
use millrace_consumer::{BatchLimits, ConsumerOptions};
use millrace_host::exit::SettingError;
use millrace_host::settings::{duration, whole_number};
use millrace_objects::Location;

/// How long lines wait for more before they are an object: in a lake of small objects each costs a request, and a start of
/// what reads it.
const OBJECT_AGE: Duration = Duration::from_secs(60);

/// How long lines wait for more before they are sent to Firehose, which bills in steps of 5 KB and gathers objects itself.
const FIREHOSE_AGE: Duration = Duration::from_secs(1);

/// How long lines wait in `millrace dev`, where somebody looks on.
const LOCAL_AGE: Duration = Duration::from_secs(2);

/// The longest that lines may wait.
const AGE_LIMIT: Duration = Duration::from_hours(1);

/// The longest that lines may wait in `millrace dev`: its embedded broker keeps records in memory alone, so that its stop
/// waits until they are shipped.
const LOCAL_AGE_LIMIT: Duration = Duration::from_secs(10);

/// How many bytes of records are shipped at once.
const BATCH_BYTES: usize = 16 << 20;

/// The same in `millrace dev`: an embedded broker holds little more of a partition, and the edge waits for its consumers then.
const LOCAL_BATCH_BYTES: usize = 512 << 10;

/// The most lines of a batch.
const BATCH_RECORDS: usize = 100_000;

/// The most records in flight. The memory that a small one takes besides its bytes counts here.
const IN_FLIGHT: usize = 200_000;

/// The consumer's settings.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Log shipper")]
#[group(skip)] // clap names groups after types, and each consumer has `Settings`
pub struct Settings {
    /// The logs' destination; the lake in the data directory by default.
    #[arg(
        long,
        value_name = "DIR|URL",
        value_parser = Destination::parse,
        help = "Destination of raw logs: a folder, s3://BUCKET/PREFIX, or firehose://STREAM [default: lake in the data \
                directory, .millrace]"
    )]
    pub logs_to: Option<Destination>,

    /// How long lines wait for more before they are shipped.
    #[arg(
        long,
        value_name = "TIME",
        value_parser = duration,
        help = "Age at which lines are shipped that are fewer than --logs-batch-bytes [default: 1m for objects, 1s for \
                Firehose, 2s in millrace dev]"
    )]
    pub logs_batch_age: Option<Duration>,

    /// How many bytes of a partition's records are shipped at once.
    #[arg(
        long,
        value_name = "BYTES",
        value_parser = whole_number::<usize>(1..=67_108_864),
        help = "Bytes of a partition's log records that are shipped at once, as an object or in calls to Firehose [default: \
                16777216; in millrace dev 524288, which is the most there]"
    )]
    pub logs_batch_bytes: Option<usize>,

    /// How objects are compressed
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Compression::Gzip)]
    pub logs_compression: Compression,
}

/// Where logs are shipped to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Objects in a folder or a bucket.
    Objects(Location),
    /// A stream of Amazon Data Firehose, by its name. Credentials, region and endpoint come from the environment, as for
    /// every AWS client.
    Firehose(String),
}

/// How objects are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Compression {
    /// gzip: what everything reads.
    Gzip,
    /// Zstandard: a quarter less work.
    Zstd,
}

/// When lines are shipped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    bytes: usize,
    age: Duration,
}

impl Destination {
    fn parse(text: &str) -> Result<Self, String> {
        let expected = || "expected a folder, s3://BUCKET/PREFIX, or firehose://STREAM".to_owned();
        match text.split_once("://") {
            // Amazon Data Firehose API Reference, DeliveryStreamName.
            Some(("firehose", stream)) => {
                let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
                let is_name = (1..=64).contains(&stream.len()) && stream.bytes().all(is_allowed);
                if is_name { Ok(Self::Firehose(stream.to_owned())) } else { Err(expected()) }
            }
            _ => Location::parse(text).map(Self::Objects).map_err(|_| expected()),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Objects(location) => location.fmt(formatter),
            Self::Firehose(stream) => write!(formatter, "firehose://{stream}"),
        }
    }
}

impl Settings {
    /// The destination, by default in `data_dir`.
    pub(crate) fn destination(&self, data_dir: &Path) -> Destination {
        let default = || Destination::Objects(Location::Folder(crate::lake_folder(data_dir)));
        self.logs_to.clone().unwrap_or_else(default)
    }

    /// When lines are shipped; `is_local` in `millrace dev`.
    ///
    /// # Errors
    /// [`SettingError`] names the setting and the problem.
    pub(crate) fn limits(&self, destination: &Destination, is_local: bool) -> Result<Limits, SettingError> {
        let default = match destination {
            _ if is_local => LOCAL_AGE,
            Destination::Objects(_) => OBJECT_AGE,
            Destination::Firehose(_) => FIREHOSE_AGE,
        };
        let age = self.logs_batch_age.unwrap_or(default);
        let bytes = self.logs_batch_bytes.unwrap_or(if is_local { LOCAL_BATCH_BYTES } else { BATCH_BYTES });
        if age > AGE_LIMIT {
            let problem =
                "is at most 1h: lines that wait are not committed, and their topic does not keep them for ever";
            return Err(SettingError::of_flag("logs-batch-age", problem.to_owned()));
        }
        if is_local && age > LOCAL_AGE_LIMIT {
            let problem =
                format!("is at most {}s in millrace dev, whose stop waits so long", LOCAL_AGE_LIMIT.as_secs());
            return Err(SettingError::of_flag("logs-batch-age", problem));
        }
        if is_local && bytes > LOCAL_BATCH_BYTES {
            let problem = format!("is at most {LOCAL_BATCH_BYTES} in millrace dev, whose broker holds little more");
            return Err(SettingError::of_flag("logs-batch-bytes", problem));
        }
        Ok(Limits { bytes, age })
    }
}

impl Limits {
    /// The options of the consumer runtime: enough in flight for batches of this size.
    pub(crate) fn options(self, options: ConsumerOptions) -> ConsumerOptions {
        ConsumerOptions {
            batch: BatchLimits { records: BATCH_RECORDS, bytes: self.bytes, age: self.age },
            max_in_flight: options.max_in_flight.max(IN_FLIGHT),
            // One that is shipped, and one that fills meanwhile.
            max_in_flight_bytes: options.max_in_flight_bytes.max(2 * self.bytes),
            ..options
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_a_folder_a_bucket_or_a_stream() {
        let bucket = Location::Bucket { name: "lake".to_owned(), prefix: "logs".to_owned() };
        for (text, expected) in [
            (".millrace/lake", Destination::Objects(Location::Folder(".millrace/lake".into()))),
            ("s3://lake/logs", Destination::Objects(bucket)),
            ("firehose://prod-logs.raw_1", Destination::Firehose("prod-logs.raw_1".to_owned())),
        ] {
            assert_eq!(Destination::parse(text).as_ref(), Ok(&expected), "{text}");
            assert_eq!(expected.to_string(), text);
        }
        let long = format!("firehose://{}", "x".repeat(65));
        for wrong in ["", "s3://", "firehose://", "firehose://a/b", "kinesis://a", &long] {
            let expected = Err("expected a folder, s3://BUCKET/PREFIX, or firehose://STREAM".to_owned());
            assert_eq!(Destination::parse(wrong), expected, "{wrong}");
        }
    }

    #[test]
    fn limits_depend_on_the_destination_and_the_host() {
        let [folder, stream] = [".", "firehose://logs"].map(|text| Destination::parse(text).unwrap());
        let limits = |age: Option<u64>, bytes, destination, is_local| {
            let (logs_batch_age, logs_batch_bytes) = (age.map(Duration::from_secs), bytes);
            let settings =
                Settings { logs_to: None, logs_batch_age, logs_batch_bytes, logs_compression: Compression::Gzip };
            settings.limits(destination, is_local).map(|limits| (limits.age.as_secs(), limits.bytes))
        };
        assert_eq!(limits(None, None, &folder, false).unwrap(), (60, 16 << 20));
        assert_eq!(limits(None, None, &stream, false).unwrap(), (1, 16 << 20));
        assert_eq!(limits(None, None, &folder, true).unwrap(), (2, 512 << 10));
        assert_eq!(limits(Some(300), Some(7), &folder, false).unwrap(), (300, 7));
        for (age, bytes, named) in [(Some(11), None, "logs-batch-age"), (None, Some(1 << 20), "logs-batch-bytes")] {
            let error = limits(age, bytes, &folder, true).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
