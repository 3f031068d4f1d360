//! Generated logins: a skewed distribution of users and locales, all forms of times, and missing optional fields.

use std::collections::BTreeMap;

use jiff::Timestamp;
use millrace_testkit::kafka::RawRecord;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

/// As many as the longest ranking of an insight, so that the sum over all insights is complete.
const LOCALES: [&str; 10] = ["en-US", "en-GB", "de-DE", "es-ES", "fr-FR", "pt-BR", "en-IN", "ja-JP", "it-IT", "cs-CZ"];

const DEVICES: [&str; 6] = ["android", "ios", "windows", "macos", "linux", "smart-tv"];

/// 2026-01-31T12:00:00Z in seconds.
const NOON: i64 = 1_769_860_800;

/// A sequence of logins that is the same for the same seed.
pub(crate) struct Logins(StdRng);

impl Logins {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// A random rank: low ranks are far more frequent.
    fn rank(&mut self, ranks: usize) -> usize {
        let below = self.0.random_range(1..=ranks);
        self.0.random_range(0..below)
    }

    fn time(&mut self) -> Value {
        let second = NOON + self.0.random_range(0..86_400);
        match self.0.random_range(0..4) {
            0 => json!(second.to_string()),
            1 => json!(Timestamp::from_second(second).unwrap().to_string()),
            _ => json!(second),
        }
    }
}

impl Iterator for Logins {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        let user = 10_000 + self.rank(2_000);
        let mut login = json!({"user_id": user.to_string(), "ip": "198.18.0.1", "timestamp": self.time()});
        if self.0.random_ratio(1, 10) {
            login["user_id"] = json!(user);
        }
        if self.0.random_ratio(96, 100) {
            login["device_type"] = json!(DEVICES[self.rank(DEVICES.len())]);
        }
        if self.0.random_ratio(98, 100) {
            login["locale"] = json!(LOCALES[self.rank(LOCALES.len())]);
        }
        Some(login)
    }
}

/// The user id of a login, as text.
pub(crate) fn user(login: &Value) -> String {
    login["user_id"].as_str().map_or_else(|| login["user_id"].to_string(), str::to_owned)
}

/// The record of a login, as the edge writes it.
pub(crate) fn record(login: &Value) -> RawRecord {
    RawRecord::new(login.to_string()).key(user(login))
}

/// The time of a login.
pub(crate) fn time(login: &Value) -> Timestamp {
    match &login["timestamp"] {
        Value::Number(second) => Timestamp::from_second(second.as_i64().unwrap()).unwrap(),
        Value::String(text) => match text.parse() {
            Ok(second) => Timestamp::from_second(second).unwrap(),
            Err(_) => text.parse().unwrap(),
        },
        other => panic!("no time: {other}"),
    }
}

pub(crate) type Counts = BTreeMap<String, u64>;

/// How often each text of a member occurs.
pub(crate) fn count(logins: &[Value], member: &str) -> Counts {
    let mut counts = Counts::new();
    for text in logins.iter().filter_map(|login| login[member].as_str()) {
        *counts.entry(text.to_owned()).or_default() += 1;
    }
    counts
}

/// The counts of a member, over all insights.
pub(crate) fn sum(insights: &[Value], member: &str) -> Counts {
    let mut counts = Counts::new();
    for (name, count) in insights.iter().flat_map(|insight| insight[member].as_object().unwrap()) {
        *counts.entry(name.clone()).or_default() += count.as_u64().unwrap();
    }
    counts
}
