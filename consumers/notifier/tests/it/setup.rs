//! Notifiers from a configuration's text, and records for them.

use std::io::Write as _;

use millrace_consumer::{Attempt, Outcome, Processor as _};
use millrace_domain::DeadLetterClass;
use millrace_kafka::Record;
use millrace_notifier::{Notifier, Settings};
use rdkafka::Timestamp;
use rdkafka::message::{Header, OwnedHeaders, OwnedMessage};
use tempfile::NamedTempFile;

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(crate) const OLD_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// A notifier with this configuration, private addresses allowed.
pub(crate) fn notifier(config: &str) -> Notifier {
    build(config, true)
}

/// A notifier that refuses private addresses, as by default.
pub(crate) fn guarded_notifier(config: &str) -> Notifier {
    build(config, false)
}

fn build(config: &str, allow_private_destinations: bool) -> Notifier {
    let file = config_file(config);
    let settings =
        Settings { notifier_config: Some(file.path().to_owned()), allow_private_destinations, ..Settings::default() };
    Notifier::from_settings(&settings).unwrap()
}

pub(crate) fn config_file(config: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(config.as_bytes()).unwrap();
    file
}

/// A webhook with a short back-off. Further settings may be appended.
pub(crate) fn webhook(name: &str, url: &str) -> String {
    format!(
        "[destinations.{name}]\ntype = \"webhook\"\nurl = \"{url}\"\nsecrets = [\"{SECRET}\", \"{OLD_SECRET}\"]\n\
         limits.backoff = \"1ms\"\n"
    )
}

pub(crate) fn route(to: &str) -> String {
    format!("[[routes]]\nto = [\"{to}\"]\n")
}

/// A record as the edge writes it.
pub(crate) fn record(id: &str, user: &str, text: &str) -> Record<'static> {
    let value = format!(r#"{{"user_id": "{user}", "message": "{text}", "n": 1.50}}"#);
    let mut headers = OwnedHeaders::new();
    for (key, value) in [
        ("ce_id", id),
        ("ce_type", "millrace.notification.requested"),
        ("ce_source", "/millrace/edge"),
        ("ce_time", "2026-01-31T12:00:00.5Z"),
        ("ce_specversion", "1.0"),
        ("content-type", "application/json"),
    ] {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    record_of(value.as_bytes(), Some(headers))
}

pub(crate) fn record_of(value: &[u8], headers: Option<OwnedHeaders>) -> Record<'static> {
    let topic = "notifications".to_owned();
    let time = Timestamp::CreateTime(1_769_860_800_000);
    Record::from(OwnedMessage::new(Some(value.to_vec()), Some(b"key".to_vec()), topic, time, 3, 42, headers))
}

pub(crate) async fn process(notifier: &Notifier, record: Record<'static>) -> Outcome {
    notifier.process(&record, &Attempt::first()).await
}

/// The class and reason of a dead letter.
#[track_caller]
pub(crate) fn dead_letter(outcome: Outcome) -> (DeadLetterClass, String) {
    match outcome {
        Outcome::Reject { class, reason, .. } => (class, reason),
        other => panic!("not a dead letter: {other:?}"),
    }
}
