//! What is looked at of a window, and when it is unusual.

use serde::{Deserialize, Serialize};

use super::baseline::Baseline;
use crate::metrics::{Place, Point, Window};

/// Fewer windows than these are no history.
pub(super) const LEAST_HISTORY: usize = 10;

/// So many spreads from what is usual are unusual.
const LEAST_SCORE: f64 = 6.0;

/// Fewer errors in a window are told to nobody, whatever their share is.
const LEAST_ERRORS: u64 = 10;

/// What is looked at. In this order one is chosen to name an outage that shows in several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Errors among the rows.
    ErrorRate,
    /// No rows at all, where there always are some.
    Silence,
    /// The 95th percentile of how long things took.
    Latency,
    /// The number of rows.
    Volume,
}

/// An unusual value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    pub(super) value: f64,
    pub(super) baseline: f64,
    /// How many spreads it is from the baseline; below zero where it is less.
    pub(super) score: f64,
}

impl Signal {
    /// All signals that one window tells.
    pub(super) const OF_A_WINDOW: [Self; 3] = [Self::ErrorRate, Self::Latency, Self::Volume];

    /// What is unusual about a window beside those of its history.
    pub(super) fn find(self, point: Point, history: &[Point]) -> Option<Found> {
        match self {
            Self::ErrorRate => error_rate(point, history),
            Self::Latency => latency(point, history),
            Self::Volume => volume(point, history),
            Self::Silence => None,
        }
    }

    /// Where the rows are that show it.
    pub fn place(self, window: &Window) -> Option<&Place> {
        let weighed = match self {
            Self::ErrorRate => &window.error_rows,
            Self::Latency => &window.slowest,
            Self::Volume | Self::Silence => &window.rows,
        };
        weighed.as_ref().map(|weighed| &weighed.place)
    }

    /// A window's value of it, 0 where it has too few errors or latencies to be told of.
    pub(super) fn value(self, point: Point) -> f64 {
        match self {
            Self::ErrorRate if point.errors < LEAST_ERRORS => 0.0,
            Self::ErrorRate => point.error_rate(),
            Self::Latency => point.p95.unwrap_or_default(),
            Self::Volume | Self::Silence => number(point.count),
        }
    }
}

impl Found {
    /// Whether it is that something is missing: rows that are only late look like that, too.
    pub(super) fn is_absence(self) -> bool {
        self.score < 0.0
    }

    /// Whether another value is much the same: at least two thirds of it, or of what is missing at most half more.
    pub(super) fn is_like(self, other: f64) -> bool {
        if self.is_absence() { other <= self.value * 1.5 } else { other * 1.5 >= self.value }
    }
}

/// Unusually many errors: at least 10, 5 of 100 rows more than usual, and twice as many. Where there is no history, 1 of 20
/// rows is usual.
fn error_rate(point: Point, history: &[Point]) -> Option<Found> {
    const UNKNOWN: Baseline = Baseline { middle: 0.05, spread: 0.03 };
    if point.errors < LEAST_ERRORS {
        return None;
    }
    let rates: Vec<f64> = history.iter().filter(|point| point.count > 0).map(Point::error_rate).collect();
    let baseline = if rates.len() < LEAST_HISTORY { UNKNOWN } else { Baseline::of(rates)? };
    let value = point.error_rate();
    // Of few rows a rate is inexact: by the deviation of as many independent draws.
    let likely = baseline.middle.clamp(0.01, 0.5);
    let inexact = (likely * (1.0 - likely) / number(point.count)).sqrt();
    let score = baseline.score(value, inexact.max(0.005));
    let is_unusual = score >= LEAST_SCORE && value >= 2.0 * baseline.middle && value - baseline.middle >= 0.05;
    is_unusual.then_some(Found { value, baseline: baseline.middle, score })
}

/// Unusually long: twice as long as usual.
fn latency(point: Point, history: &[Point]) -> Option<Found> {
    let value = point.p95?;
    // Latencies differ by factors, so that their logarithms are compared.
    let usual: Vec<f64> = history.iter().filter_map(|point| point.p95).map(f64::ln).collect();
    if usual.len() < LEAST_HISTORY {
        return None;
    }
    let baseline = Baseline::of(usual)?;
    let score = baseline.score(value.ln(), 0.1);
    let middle = baseline.middle.exp();
    (score >= LEAST_SCORE && value >= 2.0 * middle).then_some(Found { value, baseline: middle, score })
}

/// Unusually many rows, three times as many as usual and at least 100; or unusually few, a third of at least 10. Of a service that
/// is silent in most minutes no number is usual.
fn volume(point: Point, history: &[Point]) -> Option<Found> {
    const LEAST_MANY: f64 = 100.0;
    const LEAST_USUAL: f64 = 10.0;
    if history.len() < LEAST_HISTORY {
        return None;
    }
    let baseline = Baseline::of(history.iter().map(|point| number(point.count)).collect())?;
    let (value, middle) = (number(point.count), baseline.middle);
    if middle < 1.0 {
        return None;
    }
    let score = baseline.score(value, middle.sqrt().max(0.1 * middle));
    let is_many = value >= 3.0 * middle && value >= LEAST_MANY;
    let is_unusual = score.abs() >= LEAST_SCORE && (is_many || value <= middle / 3.0 && middle >= LEAST_USUAL);
    is_unusual.then_some(Found { value, baseline: middle, score })
}

/// Silence of so many minutes, where there always were rows. It is unusual when 20 rows are missing.
pub(super) fn silence(minutes: u32, history: &[Point]) -> Option<Found> {
    const LEAST_MISSING: f64 = 20.0;
    if history.len() < LEAST_HISTORY {
        return None;
    }
    let silent = history.iter().filter(|point| point.count == 0).count();
    let middle = Baseline::of(history.iter().map(|point| number(point.count)).collect())?.middle;
    let missing = middle * f64::from(minutes);
    let is_unusual = silent * 10 <= history.len() && missing >= LEAST_MISSING;
    // As many deviations as of a number of independent rows.
    is_unusual.then(|| Found { value: 0.0, baseline: middle, score: -missing.sqrt() })
}

#[expect(clippy::cast_precision_loss)] // counts are far below 2^52
fn number(count: u64) -> f64 {
    count as f64
}
