//! The watch: what is unusual of the lake's metrics is told on the bus.
//!
//! It looks once a minute, as nothing else would say that a service is silent. What is to be told is written to `stages/alerts.json`
//! before it is told, and taken out after: where a look ends in between, the next one tells it again, under the same id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use millrace_lake::anomaly::{AlertEvent, Alerts, Anomaly, Judged, SEASON_DAYS, judge};
use millrace_lake::metrics::WINDOW_SECONDS;
use millrace_objects::{GetError, Objects};
use serde::{Deserialize, Serialize};

use crate::bus::{Bus, BusEvent};
use crate::error::StageError;
use crate::history::{metrics_of, metrics_of_hour};

/// Where it is kept what was told.
const STATE: &str = "stages/alerts.json";

/// How far back windows are judged, in seconds: so long late rows are looked at.
const JUDGED: i64 = 3_600;

/// After so many seconds rows that are missing are missed: a part of the lake that failed once has come by then.
const ABSENT_AFTER: i64 = 900;

/// For how long nothing may be unusual until an outage is over, where nobody has set it.
pub const DEFAULT_QUIET: Duration = Duration::from_mins(5);

/// Seconds in an hour.
const HOUR: i64 = 3_600;

/// When something is told.
#[derive(Debug, Clone, Copy)]
pub struct WatchSettings {
    /// How long after its end a window is judged: by then its rows are in the lake.
    pub delay: Duration,
    /// For how long nothing may be unusual until an outage is over; what comes back sooner is the same outage.
    pub quiet: Duration,
}

/// Watches the metrics of a lake.
#[derive(Clone)]
pub struct Watch {
    objects: Arc<Objects>,
    bus: Arc<dyn Bus>,
    settings: WatchSettings,
}

/// What is kept between two looks.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct State {
    alerts: Alerts,
    /// What is to be told.
    outbox: Vec<AlertEvent>,
}

impl Watch {
    /// The watch over the objects of a lake.
    pub fn new(objects: Arc<Objects>, bus: Arc<dyn Bus>, settings: WatchSettings) -> Self {
        Self { objects, bus, settings }
    }

    /// Looks once, and tells what is to be told. Where another watch looks at the same time, one of them tells.
    ///
    /// # Errors
    /// [`StageError`]; what could not be told is told by the next look.
    pub async fn look(&self, now: Timestamp) -> Result<Vec<AlertEvent>, StageError> {
        let (before, version) = self.state().await?;
        let mut state = before.clone();
        let mut events = self.update(&mut state.alerts, now.as_second()).await?;
        self.fill_in_rows(events.iter_mut().flat_map(AlertEvent::anomalies)).await?;
        state.outbox.extend(events);
        if state != before && !self.write(&state, version.as_deref()).await? {
            tracing::debug!("another watch has looked at the same time");
            return Ok(Vec::new());
        }
        if state.outbox.is_empty() {
            return Ok(Vec::new());
        }
        let (mut told, mut refused) = (Vec::new(), None);
        for event in std::mem::take(&mut state.outbox) {
            match self.bus.publish(&BusEvent::Alert(event.clone())).await {
                Ok(()) => told.push(event),
                Err(error) => {
                    // The others are told all the same.
                    refused = Some(error.to_string());
                    state.outbox.push(event);
                }
            }
        }
        let version = self.objects.version(STATE).await?;
        // Where another watch has written meanwhile, it tells them again, under the same ids.
        self.write(&state, Some(&version)).await?;
        refused.map_or(Ok(told), |error| Err(StageError::BusUnavailable(error)))
    }

    async fn update(&self, alerts: &mut Alerts, now: i64) -> Result<Vec<AlertEvent>, StageError> {
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        let whole = |time: i64| time.div_euclid(WINDOW_SECONDS) * WINDOW_SECONDS;
        let until = whole(now.saturating_sub(seconds(self.settings.delay)));
        let from = until - JUDGED;
        let judged =
            Judged { since: alerts.since(from), from, until, absent_until: whole(now - ABSENT_AFTER).min(until) };
        let points = metrics_of(&self.objects, hours_for(&judged)).await?;
        let anomalies = judge(&points, &judged);
        Ok(alerts.update(&anomalies, &points, &judged, seconds(self.settings.quiet)))
    }

    async fn fill_in_rows(&self, anomalies: impl Iterator<Item = &mut Anomaly>) -> Result<(), StageError> {
        let mut hours: BTreeMap<i64, Vec<&mut Anomaly>> = BTreeMap::new();
        for anomaly in anomalies {
            hours.entry(anomaly.shown_by.div_euclid(HOUR)).or_default().push(anomaly);
        }
        for (hour, anomalies) in hours {
            let windows = metrics_of_hour(&self.objects, hour).await?.unwrap_or_default();
            for anomaly in anomalies {
                anomaly.fill_in_rows(&windows);
            }
        }
        Ok(())
    }

    async fn state(&self) -> Result<(State, Option<String>), StageError> {
        match self.objects.read(STATE).await {
            Ok(content) => {
                let state = serde_json::from_slice(&content.bytes).unwrap_or_else(|error| {
                    tracing::error!(%error, "{STATE} cannot be read: outages that are told of are told again");
                    State::default()
                });
                Ok((state, Some(content.version)))
            }
            Err(GetError::Missing { .. }) => Ok((State::default(), None)),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the state in the place of that version; false where there is another.
    async fn write(&self, state: &State, version: Option<&str>) -> Result<bool, StageError> {
        let text = serde_json::to_vec(state).map_err(|error| StageError::Local(error.to_string()))?;
        Ok(self.objects.replace(STATE, text.into(), version).await?)
    }
}

/// The hours (since 1970) whose windows are needed to judge: those before, and the same ones of the days before.
pub fn hours_for(judged: &Judged) -> BTreeSet<i64> {
    // A window of the season may begin a little before.
    let hours = (judged.since - HOUR / 4).div_euclid(HOUR)..=judged.until.div_euclid(HOUR);
    hours.flat_map(|hour| (0..=SEASON_DAYS).map(move |day| hour - day * 24)).collect()
}
