//! Alerts: one for an outage, whatever it shows in, and its end.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::judge::Anomaly;
use super::signal::Signal;
use crate::metrics::WINDOW_SECONDS;

/// What begins within so many seconds of an outage is part of it, whichever service it shows in.
const TOGETHER: i64 = 300;

/// How long outages that ended are remembered, in seconds: rows that come late are no new outage.
const REMEMBERED: i64 = 6 * 3_600;

/// The outages that are known: what [`Alerts::update`] has to know of what was told before.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Alerts {
    outages: Vec<Outage>,
}

/// An outage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Outage {
    alert_id: String,
    /// What it was raised for.
    anomaly: Anomaly,
    /// The first seconds of its first and its last unusual window.
    first: i64,
    last: i64,
    /// What it shows in.
    services: BTreeSet<String>,
    signals: BTreeSet<Signal>,
    /// Whether its end was told.
    is_over: bool,
}

/// What is told of an outage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AlertEvent {
    /// It is over.
    Resolved(Resolved),
    /// It began.
    Raised(Raised),
}

/// The beginning of an outage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Raised {
    /// Names the outage.
    pub alert_id: String,
    /// What tells most of it.
    #[serde(flatten)]
    pub anomaly: Anomaly,
    /// What else is unusual.
    pub also: Vec<Anomaly>,
}

/// The end of an outage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resolved {
    /// Names the outage.
    pub alert_id: String,
    /// What it was raised for.
    #[serde(flatten)]
    pub anomaly: Anomaly,
    /// The end of its last unusual window.
    pub resolved_at: Timestamp,
    /// The services that it showed in.
    pub services: BTreeSet<String>,
    /// What it showed in.
    pub signals: BTreeSet<Signal>,
}

impl AlertEvent {
    /// Names the outage.
    pub fn alert_id(&self) -> &str {
        match self {
            Self::Raised(raised) => &raised.alert_id,
            Self::Resolved(resolved) => &resolved.alert_id,
        }
    }

    /// The event's type.
    pub fn event_type(&self) -> &'static str {
        match self {
            Self::Raised(_) => "millrace.alert.raised",
            Self::Resolved(_) => "millrace.alert.resolved",
        }
    }
}

impl Alerts {
    /// Takes what is unusual of the windows before `judged_until` (Unix seconds), sorted as [`judge`](super::judge()) does, also
    /// what was there at the last call; returns what is to be told. An outage is over when nothing of it has been unusual for `quiet`
    /// seconds: what comes back sooner is the same outage.
    pub fn update(&mut self, anomalies: &[Anomaly], judged_until: i64, quiet: i64) -> Vec<AlertEvent> {
        // What is unusual of outages that begin, by their index.
        let mut begun: BTreeMap<usize, Vec<Anomaly>> = BTreeMap::new();
        for anomaly in anomalies {
            let start = anomaly.window_start.as_second();
            let known = self.outages.iter().position(|outage| outage.has(anomaly, start, quiet));
            let index = known.unwrap_or_else(|| {
                self.outages.push(Outage::new(anomaly.clone(), start));
                begun.insert(self.outages.len() - 1, Vec::new());
                self.outages.len() - 1
            });
            if let Some(outage) = self.outages.get_mut(index) {
                outage.add(anomaly, start);
            }
            if let Some(anomalies) = begun.get_mut(&index) {
                anomalies.push(anomaly.clone());
            }
        }
        let mut events = Vec::new();
        for (index, mut anomalies) in begun {
            let Some(outage) = self.outages.get_mut(index) else { continue };
            // Of several the first that tells most.
            let told = (0..anomalies.len()).min_by_key(|&at| anomalies.get(at).map(|anomaly| anomaly.signal));
            outage.anomaly = anomalies.remove(told.unwrap_or_default());
            outage.alert_id = alert_id(&outage.anomaly);
            let (alert_id, anomaly) = (outage.alert_id.clone(), outage.anomaly.clone());
            events.push(AlertEvent::Raised(Raised { alert_id, anomaly, also: latest(anomalies) }));
        }
        for outage in self.outages.iter_mut().filter(|outage| !outage.is_over) {
            let end = outage.last + WINDOW_SECONDS;
            if end + quiet <= judged_until {
                outage.is_over = true;
                events.push(AlertEvent::Resolved(Resolved {
                    alert_id: outage.alert_id.clone(),
                    anomaly: outage.anomaly.clone(),
                    resolved_at: Timestamp::from_second(end).unwrap_or_default(),
                    services: outage.services.clone(),
                    signals: outage.signals.clone(),
                }));
            }
        }
        self.outages.retain(|outage| !outage.is_over || outage.last + REMEMBERED > judged_until);
        events
    }

    /// How many outages are not over.
    pub fn open(&self) -> usize {
        self.outages.iter().filter(|outage| !outage.is_over).count()
    }
}

impl Outage {
    fn new(anomaly: Anomaly, start: i64) -> Self {
        Self {
            alert_id: String::new(),
            anomaly,
            first: start,
            last: start,
            services: BTreeSet::new(),
            signals: BTreeSet::new(),
            is_over: false,
        }
    }

    /// Whether what is unusual in a window is this outage's.
    fn has(&self, anomaly: &Anomaly, start: i64, quiet: i64) -> bool {
        let is_its_time = start >= self.first - quiet && start <= self.last + quiet;
        let is_its_service = self.services.contains(&anomaly.service);
        let began_together = (start - self.first).abs() <= TOGETHER;
        is_its_time && (is_its_service || began_together)
    }

    fn add(&mut self, anomaly: &Anomaly, start: i64) {
        // Of one that is over the end was told: what comes long after it is another.
        if self.is_over {
            return;
        }
        self.first = self.first.min(start);
        self.last = self.last.max(start);
        self.services.insert(anomaly.service.clone());
        self.signals.insert(anomaly.signal);
    }
}

/// The id of the alert of an anomaly: the same where an update is made again because its end was not known.
fn alert_id(anomaly: &Anomaly) -> String {
    let Anomaly { service, window_start, signal, .. } = anomaly;
    format!("alert-{:016x}", xxh3_64(format!("{service}\n{window_start}\n{signal:?}").as_bytes()))
}

/// The last of each service and signal.
fn latest(anomalies: Vec<Anomaly>) -> Vec<Anomaly> {
    let mut latest: Vec<Anomaly> = Vec::new();
    for anomaly in anomalies {
        match latest.iter_mut().find(|other| (&other.service, other.signal) == (&anomaly.service, anomaly.signal)) {
            Some(other) => *other = anomaly,
            None => latest.push(anomaly),
        }
    }
    latest
}
