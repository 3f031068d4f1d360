//! The watch: what is unusual of the lake's metrics is told on the bus.
//!
//! It looks once a minute, as nothing else would say that a service is silent. What it has told is kept in
//! `stages/alerts.json`, which is written after the bus has taken it: where that fails, the next look tells it again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use millrace_lake::anomaly::{AlertEvent, Alerts, BASELINE_HOURS, SEASON_DAYS, judge};
use millrace_lake::hour_folder;
use millrace_lake::metrics::{HourFile, WINDOW_SECONDS, Windows};
use millrace_objects::{GetError, Objects};

use crate::bus::{Bus, BusEvent};
use crate::error::StageError;
use crate::metrics::metrics_path;

/// Where it is kept what was told.
const STATE: &str = "stages/alerts.json";

/// How far back windows are judged, in seconds: so long late rows are looked at.
const JUDGED: i64 = 3_600;

/// A service that has no rows for so many seconds is silent even where no other one has rows.
const HEARD_AFTER: i64 = 900;

/// Files read at the same time.
const READS: usize = 8;

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
        let windows = self.windows(until).await?;
        let (mut alerts, version) = self.state().await?;
        let latest = windows.0.keys().map(|(start, _)| *start).filter(|start| *start <= now).max();
        let heard = latest.unwrap_or_default().max(now - HEARD_AFTER);
        let told_before = alerts.clone();
        let anomalies = judge(&windows, until - JUDGED..until, heard);
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

    /// The windows that are needed to judge those before a time.
    async fn windows(&self, until: i64) -> Result<Windows, StageError> {
        let hours = (until - JUDGED - BASELINE_HOURS * HOUR).div_euclid(HOUR)..=until.div_euclid(HOUR);
        let all = (0..=SEASON_DAYS).flat_map(|day| hours.clone().map(move |hour| hour - day * 24));
        let paths: Vec<String> =
            all.filter_map(|hour| hour_folder("cleaned", hour).ok()).map(|hour| metrics_path(&hour)).collect();
        let read = paths.into_iter().map(|path| async move { self.hour(&path).await });
        let hours: Vec<Windows> = futures_util::stream::iter(read).buffered(READS).try_collect().await?;
        let mut windows = Windows::default();
        for hour in hours {
            windows.merge(hour);
        }
        Ok(windows)
    }

    async fn hour(&self, path: &str) -> Result<Windows, StageError> {
        match self.objects.read(path).await {
            Ok(content) => match HourFile::from_bytes(content.bytes) {
                Ok(file) => Ok(file.windows),
                Err(error) => {
                    // The stage that makes it makes it anew.
                    tracing::error!(metrics = path, %error, "metrics that cannot be read are not judged");
                    Ok(Windows::default())
                }
            },
            Err(GetError::Missing { .. }) => Ok(Windows::default()),
            Err(error) => Err(error.into()),
        }
    }
}
