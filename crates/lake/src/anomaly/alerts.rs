//! Alerts: one for an outage, whatever it shows in, and its end.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::judge::{Anomaly, BASELINE_SECONDS, Judged};
use super::signal::Signal;
use crate::metrics::{Points, WINDOW_SECONDS};

/// What begins within so many seconds of an outage is part of it, whichever service it shows in.
const TOGETHER: i64 = 300;

/// What comes back to a service within so many seconds of an outage's end is the same outage.
const COOL_DOWN: i64 = 1_800;

/// An outage that lasts so many seconds is over: it is what is usual from then on.
const LONGEST: i64 = 86_400;

/// How long outages that ended are remembered, in seconds: rows that come late are no new outage.
const REMEMBERED: i64 = 6 * 3_600;

/// How many services and anomalies are told by name: messages have a limit.
const NAMED: usize = 20;

/// The longest quiet, in seconds: of an outage that comes back again and again.
const LONGEST_QUIET: i64 = 3_600;

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
    /// For how many seconds nothing of it may be unusual until it is over: more each time that it comes back.
    quiet: i64,
    /// Where its end was told: until when windows were judged then.
    over_since: Option<i64>,
}

/// What is told of an outage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AlertEvent {
    /// It is over.
    Resolved(Resolved),
    /// It shows in a further service, or has come back.
    Updated(Updated),
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
    /// What else is unusual: the last of each service and signal, at most 20.
    pub also: Vec<Anomaly>,
}

/// Further services of an outage, or its return.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Updated {
    /// Names the outage.
    pub alert_id: String,
    /// What it was raised for.
    #[serde(flatten)]
    pub anomaly: Anomaly,
    /// What is unusual now, one of each service, at most 20.
    pub joined: Vec<Anomaly>,
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
    /// The services that it showed in: at most 20.
    pub services: Vec<String>,
    /// How many services it showed in.
    pub service_count: usize,
    /// What it showed in.
    pub signals: BTreeSet<Signal>,
    /// Whether it has lasted for a day, and is what is usual from now on.
    pub became_usual: bool,
}

impl AlertEvent {
    /// Names the outage.
    pub fn alert_id(&self) -> &str {
        match self {
            Self::Raised(Raised { alert_id, .. })
            | Self::Updated(Updated { alert_id, .. })
            | Self::Resolved(Resolved { alert_id, .. }) => alert_id,
        }
    }

    /// Names what is told, among all that is: told twice, it has the same.
    pub fn id(&self) -> String {
        let what = match self {
            Self::Raised(_) => "raised".to_owned(),
            Self::Resolved(resolved) => format!("resolved-{}", resolved.resolved_at.as_second()),
            Self::Updated(updated) => {
                let last = updated.joined.iter().map(|anomaly| anomaly.window_start.as_second()).max();
                let services: Vec<&str> = updated.joined.iter().map(|anomaly| anomaly.service.as_str()).collect();
                format!("updated-{}-{:016x}", last.unwrap_or_default(), xxh3_64(services.join("\n").as_bytes()))
            }
        };
        format!("{}-{what}", self.alert_id())
    }

    /// The event's type.
    pub fn event_type(&self) -> &'static str {
        match self {
            Self::Raised(_) => "millrace.alert.raised",
            Self::Updated(_) => "millrace.alert.updated",
            Self::Resolved(_) => "millrace.alert.resolved",
        }
    }

    /// The anomalies whose rows are told: they are to be filled in.
    pub fn anomalies(&mut self) -> Vec<&mut Anomaly> {
        match self {
            Self::Raised(Raised { anomaly, also, .. }) => std::iter::once(anomaly).chain(also).collect(),
            Self::Updated(Updated { joined, .. }) => joined.iter_mut().collect(),
            Self::Resolved(_) => Vec::new(),
        }
    }
}

impl Alerts {
    /// Takes what is unusual of the windows that were judged, also what was there at the last call; returns what is to be told. An outage
    /// is over when nothing of it has been unusual for `quiet` seconds, of which the rows have come; what comes back within half an hour
    /// is the same outage, which then has to be quiet for longer.
    pub fn update(&mut self, anomalies: &[Anomaly], points: &Points, judged: &Judged, quiet: i64) -> Vec<AlertEvent> {
        // What an outage had not yet: by its index, and whether it begins.
        let mut news: Vec<(usize, bool, Vec<Anomaly>)> = Vec::new();
        for anomaly in anomalies {
            let start = anomaly.window_start.as_second();
            let known = self.outages.iter().position(|outage| outage.is_of_service(anomaly, start));
            let known = known.or_else(|| self.outages.iter().position(|outage| outage.began_together(start)));
            let index = known.unwrap_or_else(|| {
                self.outages.push(Outage::new(anomaly.clone(), start, quiet));
                self.outages.len() - 1
            });
            let Some(outage) = self.outages.get_mut(index) else { continue };
            let is_news = outage.add(anomaly, start);
            match news.iter_mut().find(|(other, ..)| *other == index) {
                Some((_, is_new, anomalies)) if *is_new || is_news => anomalies.push(anomaly.clone()),
                None if known.is_none() || is_news => news.push((index, known.is_none(), vec![anomaly.clone()])),
                Some(_) | None => {}
            }
        }
        let mut events = Vec::new();
        for (index, is_new, anomalies) in news {
            let Some(outage) = self.outages.get_mut(index) else { continue };
            events.push(if is_new { outage.raised(anomalies) } else { outage.updated(anomalies) });
        }
        for outage in self.outages.iter_mut().filter(|outage| outage.over_since.is_none()) {
            let became_usual = outage.first + LONGEST <= judged.until;
            if became_usual || outage.is_quiet(points, judged) {
                outage.over_since = Some(judged.until);
                events.push(outage.resolved(became_usual));
            }
        }
        self.outages.retain(|outage| outage.over_since.is_none_or(|since| since + REMEMBERED > judged.until));
        events
    }

    /// From when windows say what is usual, for those that are judged from `from` to `until`: of an outage that lasts, from before its
    /// beginning.
    pub fn since(&self, from: i64) -> i64 {
        let open = self.outages.iter().filter(|outage| outage.over_since.is_none());
        open.map(|outage| outage.first).min().unwrap_or(from).min(from) - BASELINE_SECONDS
    }
}

impl Outage {
    fn new(anomaly: Anomaly, start: i64, quiet: i64) -> Self {
        Self {
            alert_id: alert_id(&anomaly),
            anomaly,
            first: start,
            last: start,
            services: BTreeSet::new(),
            signals: BTreeSet::new(),
            quiet,
            over_since: None,
        }
    }

    /// Whether what is unusual of a service in a window is this outage's, which has shown in the service before.
    fn is_of_service(&self, anomaly: &Anomaly, start: i64) -> bool {
        let until = if self.over_since.is_some() { self.last + COOL_DOWN } else { self.last + self.quiet };
        self.services.contains(&anomaly.service) && start >= self.first - self.quiet && start <= until
    }

    /// Whether what begins in a window began with this outage.
    fn began_together(&self, start: i64) -> bool {
        self.over_since.is_none() && (start - self.first).abs() <= TOGETHER && start <= self.last + self.quiet
    }

    /// Adds an anomaly. Whether people should be told: of a further service, that it has come back, or that now all is silent.
    fn add(&mut self, anomaly: &Anomaly, start: i64) -> bool {
        let is_back = match self.over_since {
            // Rows that came late: the end was told, and holds.
            Some(since) if start < since => return false,
            Some(_) => {
                self.over_since = None;
                self.quiet = (self.quiet * 2).min(LONGEST_QUIET);
                true
            }
            None => false,
        };
        self.first = self.first.min(start);
        self.last = self.last.max(start);
        let is_silent_now = self.signals.insert(anomaly.signal) && anomaly.signal == Signal::Silence;
        self.services.insert(anomaly.service.clone()) || is_back || is_silent_now
    }

    /// Whether nothing of it was unusual for long enough. That no rows have come says nothing, until they would be missed.
    fn is_quiet(&self, points: &Points, judged: &Judged) -> bool {
        let quiet_until = self.last + WINDOW_SECONDS + self.quiet;
        let has_rows = |service: &String| {
            points.last_before(service, judged.until).is_some_and(|start| start + 3 * WINDOW_SECONDS >= quiet_until)
        };
        quiet_until <= judged.until && (quiet_until <= judged.absent_until || self.services.iter().all(has_rows))
    }

    fn raised(&mut self, mut anomalies: Vec<Anomaly>) -> AlertEvent {
        // Of several the first that tells most.
        let told = (0..anomalies.len()).min_by_key(|&at| anomalies.get(at).map(|anomaly| anomaly.signal));
        self.anomaly = anomalies.remove(told.unwrap_or_default());
        let also = latest(anomalies, |anomaly| (anomaly.service.clone(), anomaly.signal));
        AlertEvent::Raised(Raised { alert_id: self.alert_id.clone(), anomaly: self.anomaly.clone(), also })
    }

    fn updated(&self, anomalies: Vec<Anomaly>) -> AlertEvent {
        let joined = latest(anomalies, |anomaly| anomaly.service.clone());
        AlertEvent::Updated(Updated { alert_id: self.alert_id.clone(), anomaly: self.anomaly.clone(), joined })
    }

    fn resolved(&self, became_usual: bool) -> AlertEvent {
        AlertEvent::Resolved(Resolved {
            alert_id: self.alert_id.clone(),
            anomaly: self.anomaly.clone(),
            resolved_at: Timestamp::from_second(self.last + WINDOW_SECONDS).unwrap_or_default(),
            services: self.services.iter().take(NAMED).cloned().collect(),
            service_count: self.services.len(),
            signals: self.signals.clone(),
            became_usual,
        })
    }
}

/// The id of the alert of an outage, by the first of its anomalies that was seen.
fn alert_id(anomaly: &Anomaly) -> String {
    let Anomaly { service, window_start, signal, .. } = anomaly;
    format!("alert-{:016x}", xxh3_64(format!("{service}\n{window_start}\n{signal:?}").as_bytes()))
}

/// The last anomaly of each key, as many as are told by name.
fn latest<K: PartialEq>(anomalies: Vec<Anomaly>, key: impl Fn(&Anomaly) -> K) -> Vec<Anomaly> {
    let mut latest: Vec<Anomaly> = Vec::new();
    for anomaly in anomalies {
        let known = latest.iter().position(|other| key(other) == key(&anomaly));
        let is_full = latest.len() >= NAMED;
        match known.and_then(|index| latest.get_mut(index)) {
            Some(other) => *other = anomaly,
            None if is_full => {}
            None => latest.push(anomaly),
        }
    }
    latest
}
