//! The watch: what is unusual of the lake's metrics is told on the bus.
//!
//! It looks once a minute, as nothing else would say that a service is silent. What it has told is kept in
//! `stages/alerts.json`, which is written after the bus has taken it: where that fails, the next look tells it again.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use millrace_lake::anomaly::{AlertEvent, Alerts, BASELINE_HOURS, SEASON_DAYS, judge};
use millrace_lake::metrics::WINDOW_SECONDS;
use millrace_objects::{GetError, Objects};

use crate::bus::{Bus, BusEvent};
use crate::error::StageError;
use crate::history::metrics_of;

/// Where it is kept what was told.
const STATE: &str = "stages/alerts.json";

/// How far back windows are judged, in seconds: so long late rows are looked at.
const JUDGED: i64 = 3_600;

/// A service that has no rows for so many seconds is silent even where no other one has rows.
const HEARD_AFTER: i64 = 900;

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

impl Watch {
    /// The watch over the objects of a lake.
    pub fn new(objects: Arc<Objects>, bus: Arc<dyn Bus>, settings: WatchSettings) -> Self {
        Self { objects, bus, settings }
    }

    /// Looks once, and tells what is to be told.
    ///
    /// # Errors
    /// [`StageError`]; what was told before it may be told again by the next look, under the same ids.
    pub async fn look(&self, now: Timestamp) -> Result<Vec<AlertEvent>, StageError> {
        let now = now.as_second();
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        let until = (now - seconds(self.settings.delay)).div_euclid(WINDOW_SECONDS) * WINDOW_SECONDS;
        let judged = until - JUDGED..until;
        let windows = metrics_of(&self.objects, judged_by(&judged)).await?;
        let (mut alerts, version) = self.state().await?;
        let latest = windows.0.keys().map(|(start, _)| *start).filter(|start| *start <= now).max();
        let heard = latest.unwrap_or_default().max(now - HEARD_AFTER);
        let told_before = alerts.clone();
        let anomalies = judge(&windows, judged, heard);
        let events = alerts.update(&anomalies, until, seconds(self.settings.quiet));
        for event in &events {
            let published = self.bus.publish(&BusEvent::Alert(event.clone())).await;
            published.map_err(|error| StageError::BusUnavailable(error.to_string()))?;
        }
        if alerts != told_before {
            let text = serde_json::to_vec(&alerts).map_err(|error| StageError::Local(error.to_string()))?;
            if !self.objects.replace(STATE, text.into(), version.as_deref()).await? {
                return Err(StageError::S3Unavailable(format!(
                    "{STATE} was written by another watch at the same time"
                )));
            }
        }
        Ok(events)
    }

    async fn state(&self) -> Result<(Alerts, Option<String>), StageError> {
        match self.objects.read(STATE).await {
            Ok(content) => {
                let alerts = serde_json::from_slice(&content.bytes).unwrap_or_else(|error| {
                    tracing::error!(%error, "{STATE} cannot be read: outages that are told of are told again");
                    Alerts::default()
                });
                Ok((alerts, Some(content.version)))
            }
            Err(GetError::Missing { .. }) => Ok((Alerts::default(), None)),
            Err(error) => Err(error.into()),
        }
    }
}

/// The hours (since 1970) whose windows are needed to judge those of a time: those before it, and the same ones of the days before.
pub fn judged_by(judged: &Range<i64>) -> BTreeSet<i64> {
    let hours = (judged.start - BASELINE_HOURS * HOUR).div_euclid(HOUR)..=judged.end.div_euclid(HOUR);
    hours.flat_map(|hour| (0..=SEASON_DAYS).map(move |day| hour - day * 24)).collect()
}
