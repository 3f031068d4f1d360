//! Aggregates batches of logins into insights, in transactions.

use std::borrow::Cow;
use std::time::Duration;

use millrace_consumer::{Attempt, Outcome, Processor, Transformer};
use millrace_domain::insight::{EVENT_TYPE, FULL_BATCH, Insight, Login, SOURCE, TOPIC};
use millrace_domain::traceparent::TraceParent;
use millrace_domain::{Envelope, EventId};
use millrace_json::Document;
use millrace_kafka::{OwnedProducerRecord, Record, headers};

use crate::batching::batch_size;
use crate::insight_id;
use crate::settings::Settings;

/// The largest insight, in bytes. The topic allows records of 1 MiB, headers included.
const INSIGHT_LIMIT: usize = 1_000_000;

/// The largest login, in bytes: its locale may occur twice in an insight. The edge's limit is far lower.
const LOGIN_LIMIT: usize = INSIGHT_LIMIT / 2 - 1_024;

/// A login, with the position and timestamp of its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenLogin {
    /// The login.
    pub login: Login,
    /// Its record's partition.
    pub partition: i32,
    /// Its record's offset.
    pub offset: i64,
    /// Its record's timestamp, in milliseconds since the Unix epoch.
    pub recorded: i64,
}

/// Aggregates logins into insights. The consumer runtime calls it for each record and each transaction.
#[derive(Debug)]
pub struct Insights {
    topic: Cow<'static, str>,
    batch_age: Duration,
}

impl Insights {
    /// Insights with these settings.
    pub fn from_settings(settings: &Settings) -> Self {
        Self::new(TOPIC, settings.batch_age)
    }

    /// Insights on `topic`. A batch that is not full closes after `batch_age`.
    pub fn new(topic: impl Into<Cow<'static, str>>, batch_age: Duration) -> Self {
        Self { topic: topic.into(), batch_age }
    }

    /// Writes the insight of a batch. Names are limited only by their record's size: a batch whose insight would exceed
    /// the topic's limit is split in two.
    fn write(&self, batch: &[&SeenLogin], records: &mut Vec<OwnedProducerRecord>) {
        let id = insight_id::id(batch).to_string();
        let logins: Vec<_> = batch.iter().map(|seen| &seen.login).collect();
        let Some(insight) = Insight::of(&id, &logins) else { return };
        let json = insight.to_json();
        if json.len() > INSIGHT_LIMIT && batch.len() > 1 {
            let (first, second) = batch.split_at(batch.len() / 2);
            self.write(first, records);
            self.write(second, records);
            return;
        }
        let headers = headers::from_envelope(&envelope(id));
        records.push(OwnedProducerRecord { topic: self.topic.clone(), key: None, value: Some(json), headers });
    }
}

fn envelope(id: String) -> Envelope<'static> {
    Envelope {
        id: EventId::new(id),
        event_type: EVENT_TYPE.into(),
        source: SOURCE.into(),
        time: format!("{:.3}", jiff::Timestamp::now()).into(),
        content_type: "application/json".into(),
        // An insight has many parent traces: it starts its own.
        traceparent: Some(TraceParent::next_hop(None, &mut rand::rng()).to_string()),
        attributes: Vec::new(),
    }
}

impl Processor for Insights {
    type Product = SeenLogin;

    async fn process(&self, record: &Record<'_>, _attempt: &Attempt<'_>) -> Outcome<SeenLogin> {
        let value = record.value().unwrap_or_default();
        if value.len() > LOGIN_LIMIT {
            return Outcome::reject(format!("not a login: larger than {LOGIN_LIMIT} bytes"));
        }
        let document = match Document::parse(value) {
            Ok(document) => document,
            Err(error) => return Outcome::reject(format!("not JSON: {error}")),
        };
        let recorded = record.timestamp();
        match Login::read(&document, || record.event_time()) {
            Ok(login) => {
                Outcome::Done(SeenLogin { login, partition: record.partition(), offset: record.offset(), recorded })
            }
            Err(errors) => Outcome::reject(format!("not a login: {errors}")),
        }
    }
}

impl Transformer for Insights {
    fn batch_size(&self, ready: usize, age: Duration) -> usize {
        batch_size(ready, age, self.batch_age)
    }

    fn to_records<'p>(&self, products: impl Iterator<Item = &'p SeenLogin>) -> Vec<OwnedProducerRecord> {
        let logins: Vec<_> = products.collect();
        let mut records = Vec::with_capacity(logins.len().div_ceil(FULL_BATCH));
        for batch in logins.chunks(FULL_BATCH) {
            self.write(batch, &mut records);
        }
        records
    }
}
