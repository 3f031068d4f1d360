//! Windows compared with those before them.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::signal::{Found, LEAST_HISTORY, Signal, silence};
use crate::metrics::{Place, Point, Points, WINDOW_SECONDS, Windows};

/// Seconds before those that are judged, whose windows say what is usual.
pub const BASELINE_SECONDS: i64 = 7_200;

/// Days before, whose windows at the same time of day say what is usual then.
pub const SEASON_DAYS: i64 = 7;

/// Usual windows that one is compared with: the latest.
const BASELINE_WINDOWS: usize = 60;

/// Windows before and after the same time of a day before.
const SEASON_WINDOWS: i64 = 2;

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
    /// The rows that show it: of silence, the last rows before. Filled in where it is told.
    pub rows: Option<Place>,
    /// The first second (Unix) of the window whose rows these are.
    #[serde(skip)]
    pub shown_by: i64,
}

impl Anomaly {
    /// Fills in the rows that show it, of windows that have that of [`Self::shown_by`]; without it there are none.
    pub fn fill_in_rows(&mut self, windows: &Windows) {
        let window = windows.0.get(&(self.shown_by, self.service.clone()));
        self.rows = window.and_then(|window| self.signal.place(window)).cloned();
    }
}

/// Which windows are judged, in Unix seconds of whole windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// Windows before it say what is usual: [`BASELINE_SECONDS`] before `from`, and where an outage lasts before its beginning, as
    /// windows of an outage do not.
    pub since: i64,
    /// The first window that is judged.
    pub from: i64,
    /// The end of the last one.
    pub until: i64,
    /// The end of the last one of which all rows have come, of all services: what is missing beyond may be late.
    pub absent_until: i64,
}

/// Judges windows of these points, which should begin at `since`, and have the same times of [`SEASON_DAYS`] before. What is unusual beside
/// the windows before, and not seen at this time on most of the days before or a week ago, is an anomaly. Sorted by window, signal and service.
pub fn judge(points: &Points, judged: &Judged) -> Vec<Anomaly> {
    let of_service = |(service, points): (&String, &BTreeMap<i64, Point>)| judge_service(service, points, judged);
    let mut anomalies: Vec<Anomaly> = points.0.iter().flat_map(of_service).collect();
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

fn judge_service(service: &str, points: &BTreeMap<i64, Point>, judged: &Judged) -> Vec<Anomaly> {
    let mut anomalies = Vec::new();
    let Some((&first, _)) = points.range(judged.since..judged.until).next() else { return anomalies };
    let mut past = Past::default();
    let mut last = first;
    for start in (first..judged.until).step_by(60) {
        let point = points.get(&start).copied().unwrap_or_default();
        let is_complete = start + WINDOW_SECONDS <= judged.absent_until;
        if point.count == 0 && !is_complete {
            continue;
        }
        if point.count > 0 {
            last = start;
        }
        let mut found = past.find(point);
        found.retain(|(signal, found)| {
            (is_complete || !found.is_absence()) && !is_seasonal(points, start, *signal, *found)
        });
        // The first window began before the service did.
        if start > first {
            past.add(point, found.is_empty());
        }
        if start < judged.from {
            continue;
        }
        anomalies.extend(found.into_iter().map(|(signal, Found { value, baseline, score })| Anomaly {
            service: service.to_owned(),
            window_start: Timestamp::from_second(start).unwrap_or_default(),
            signal,
            value,
            baseline,
            score,
            rows: None,
            shown_by: last,
        }));
    }
    anomalies
}

impl Past {
    /// What is unusual about the next window.
    fn find(&self, point: Point) -> Vec<(Signal, Found)> {
        let usual: Vec<Point> = self.usual.iter().copied().collect();
        if point.count == 0 {
            return silence(self.silent + 1, &usual).map(|found| (Signal::Silence, found)).into_iter().collect();
        }
        let find = |signal: Signal| signal.find(point, &usual).map(|found| (signal, found));
        Signal::OF_A_WINDOW.into_iter().filter_map(find).collect()
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

/// Whether it was much the same at this time on most of the days before, or on this day of the week before. Of a day the window that is
/// most like it counts, as what happens each day does not at the same second.
fn is_seasonal(points: &BTreeMap<i64, Point>, start: i64, signal: Signal, found: Found) -> bool {
    let Some(&known_since) = points.keys().next() else { return false };
    let is_like = |day: i64| {
        let at = start - day * DAY;
        let about = (-SEASON_WINDOWS..=SEASON_WINDOWS).map(|window| at + window * WINDOW_SECONDS);
        about.into_iter().any(|start| found.is_like(signal.value(points.get(&start).copied().unwrap_or_default())))
    };
    let days: Vec<bool> = (1..=SEASON_DAYS).filter(|day| start - day * DAY >= known_since).map(is_like).collect();
    let alike = days.iter().filter(|is_like| **is_like).count();
    let is_daily = days.len() >= LEAST_DAYS && alike * 2 > days.len();
    let is_weekly = i64::try_from(days.len()) == Ok(SEASON_DAYS) && days.last() == Some(&true);
    is_daily || is_weekly
}
