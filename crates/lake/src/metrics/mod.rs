//! Metrics of cleaned rows: what each service's rows of a minute come to.
//!
//! [`windows_of`] counts a file of cleaned rows; [`HourFile`] is an hour's windows as a file of `metrics/`, which says of which
//! files it was made. All sums are exact and all choices are of the greatest, so that an hour's file depends on the set of
//! files that it was made of, and not on the order in which they came.

mod count;
mod hour_file;
mod latency;
mod point;
mod window;

pub use count::windows_of;
pub use hour_file::{HourFile, points_of, schema};
pub use latency::{Latencies, LatencySummary, SketchError};
pub use point::{Point, Points};
pub use window::{Place, WINDOW_SECONDS, Weighed, Window, Windows};
