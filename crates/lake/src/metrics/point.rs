//! What is compared of windows: little of each, so that many fit into memory.

use std::collections::BTreeMap;

use super::window::{Window, Windows, error_rate};

/// Fewer latencies have no 95th percentile to speak of.
const LEAST_LATENCIES: u64 = 20;

/// What is compared of a window.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Point {
    /// Rows.
    pub count: u64,
    /// Errors among them.
    pub errors: u64,
    /// The 95th percentile in milliseconds, where there are enough latencies.
    pub p95: Option<f64>,
}

/// Points by service and the first second of the window (Unix).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Points(pub BTreeMap<String, BTreeMap<i64, Point>>);

impl Point {
    /// Of a window.
    pub fn of(window: &Window) -> Self {
        let summary = window.latencies.summary();
        Self::new(window.count, window.errors, summary.map(|summary| (summary.count, summary.p95)))
    }

    /// Errors among the rows, from 0 to 1.
    pub fn error_rate(&self) -> f64 {
        error_rate(self.errors, self.count)
    }

    pub(super) fn new(count: u64, errors: u64, latencies: Option<(u64, f64)>) -> Self {
        let p95 = latencies.filter(|(count, p95)| *count >= LEAST_LATENCIES && *p95 > 0.0).map(|(_, p95)| p95);
        Self { count, errors, p95 }
    }
}

impl Points {
    /// Adds a window's.
    pub fn insert(&mut self, service: &str, start: i64, point: Point) {
        match self.0.get_mut(service) {
            Some(points) => {
                points.insert(start, point);
            }
            None => {
                self.0.insert(service.to_owned(), BTreeMap::from([(start, point)]));
            }
        }
    }

    /// The first second of the last window before `until` in which a service has rows.
    pub fn last_before(&self, service: &str, until: i64) -> Option<i64> {
        self.0.get(service)?.range(..until).next_back().map(|(start, _)| *start)
    }
}

impl From<&Windows> for Points {
    fn from(windows: &Windows) -> Self {
        let mut points = Self::default();
        for ((start, service), window) in &windows.0 {
            points.insert(service, *start, Point::of(window));
        }
        points
    }
}
