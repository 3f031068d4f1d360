//! Windows compared with those before them.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::signal::{Found, LEAST_HISTORY, Point, Signal, silence};
use crate::metrics::{Place, WINDOW_SECONDS, Window, Windows};

/// Hours before those that are judged, whose windows say what is usual.
pub const BASELINE_HOURS: i64 = 2;

/// Days before, whose windows at the same time of day say what is usual then.
pub const SEASON_DAYS: i64 = 7;

/// Usual windows that one is compared with: the latest.
const BASELINE_WINDOWS: usize = 60;

/// Windows before and after the same time of a day before.
const SEASON_WINDOWS: i64 = 10;

/// Fewer days are no history.
const LEAST_DAYS: usize = 3;

/// Seconds in a day.
const DAY: i64 = 86_400;

/// What is unusual about a service's window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// The service.
    pub service: String,
    /// The window's first second.
    pub window_start: Timestamp,
    /// What is unusual.
    pub signal: Signal,
    /// The window's value: errors among the rows (0 to 1), milliseconds, or a number of rows.
    pub value: f64,
    /// The usual value.
    pub baseline: f64,
    /// How many deviations lie between; below zero where the value is less.
    pub score: f64,
    /// The rows that show it: of silence, the last rows before.
    pub rows: Option<Place>,
}

/// Judges the windows of a time (Unix seconds, whole windows), of those that `windows` has; it should have [`BASELINE_HOURS`]
/// before, and the same times of [`SEASON_DAYS`] before. What is unusual beside the windows before, and not usual at this time of
/// day, is an anomaly. Sorted by window, service and signal.
///
/// Until `heard` (Unix seconds) the rows of all services have come: a service that has none is silent.
pub fn judge(windows: &Windows, judged: Range<i64>, heard: i64) -> Vec<Anomaly> {
    let mut services: BTreeMap<&str, BTreeMap<i64, &Window>> = BTreeMap::new();
    for ((start, service), window) in &windows.0 {
        services.entry(service).or_default().insert(*start, window);
    }
    let mut anomalies: Vec<Anomaly> =
        services.iter().flat_map(|(service, windows)| judge_service(service, windows, &judged, heard)).collect();
    anomalies.sort_by(|left, right| {
        let key = |anomaly: &Anomaly| (anomaly.window_start, anomaly.signal);
        key(left).cmp(&key(right)).then_with(|| left.service.cmp(&right.service))
    });
    anomalies
}

/// What is known of a service when a window is judged.
#[derive(Default)]
struct Past {
    /// The latest usual windows.
    usual: VecDeque<Point>,
    /// Windows without rows since the last one that has some.
    silent: u32,
    /// Whether that is unusual.
    is_silence: bool,
}

fn judge_service(service: &str, windows: &BTreeMap<i64, &Window>, judged: &Range<i64>, heard: i64) -> Vec<Anomaly> {
    let mut anomalies = Vec::new();
    let points: BTreeMap<i64, Point> = windows.iter().map(|(start, window)| (*start, Point::of(window))).collect();
    let from = judged.start - BASELINE_HOURS * 3_600;
    let Some((&first, _)) = points.range(from..judged.end).next() else { return anomalies };
    let mut past = Past::default();
    let mut last = None;
    for start in (first..judged.end).step_by(60) {
        let point = points.get(&start).copied().unwrap_or_default();
        if point.count == 0 && start + WINDOW_SECONDS > heard {
            break;
        }
        last = windows.get(&start).or(last);
        let found = past.find(point, || season(&points, start));
        // The first window began before the service did.
        if start > first {
            past.add(point, found.is_empty());
        }
        if !judged.contains(&start) {
            continue;
        }
        anomalies.extend(found.into_iter().map(|(signal, Found { value, baseline, score })| Anomaly {
            service: service.to_owned(),
            window_start: Timestamp::from_second(start).unwrap_or_default(),
            signal,
            value,
            baseline,
            score,
            rows: last.and_then(|window| signal.place(window)).cloned(),
        }));
    }
    anomalies
}

impl Past {
    /// What is unusual about the next window, also beside those of its season.
    fn find(&self, point: Point, season: impl FnOnce() -> Option<Vec<Point>>) -> Vec<(Signal, Found)> {
        let find = |history: &[Point]| -> Vec<(Signal, Found)> {
            if point.count == 0 {
                let found = silence(self.silent + 1, history);
                return found.map(|found| (Signal::Silence, found)).into_iter().collect();
            }
            let find = |signal: Signal| signal.find(point, history).map(|found| (signal, found));
            Signal::OF_A_WINDOW.into_iter().filter_map(find).collect()
        };
        let usual: Vec<Point> = self.usual.iter().copied().collect();
        let mut found = find(&usual);
        if !found.is_empty()
            && let Some(season) = season()
        {
            let unseasonal = find(&season);
            found.retain(|(signal, _)| unseasonal.iter().any(|(other, _)| other == signal));
        }
        found
    }

    fn add(&mut self, point: Point, is_usual: bool) {
        if point.count == 0 {
            // How long it lasts, and so whether it is usual, shows at its end.
            self.silent += 1;
            self.is_silence |= !is_usual;
            return;
        }
        let pauses = if self.is_silence { 0 } else { self.silent };
        (0..pauses).for_each(|_| self.remember(Point::default()));
        // Where nothing is known, what it is like becomes usual: it was told.
        if is_usual || self.usual.len() < LEAST_HISTORY {
            self.remember(point);
        }
        (self.silent, self.is_silence) = (0, false);
    }

    fn remember(&mut self, point: Point) {
        if self.usual.len() == BASELINE_WINDOWS {
            self.usual.pop_front();
        }
        self.usual.push_back(point);
    }
}

/// The windows about this time on the days before on which the service was there; none where these are too few.
fn season(points: &BTreeMap<i64, Point>, start: i64) -> Option<Vec<Point>> {
    let known_since = *points.keys().next()?;
    let days: Vec<i64> = (1..=SEASON_DAYS)
        .map(|day| start - day * DAY - SEASON_WINDOWS * WINDOW_SECONDS)
        .filter(|from| *from >= known_since)
        .collect();
    let starts =
        days.iter().flat_map(|from| (0..=2 * SEASON_WINDOWS).map(move |minute| from + minute * WINDOW_SECONDS));
    let season = starts.map(|start| points.get(&start).copied().unwrap_or_default()).collect();
    (days.len() >= LEAST_DAYS).then_some(season)
}
