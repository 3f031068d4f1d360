//! Latencies of a window: a sketch that merges, the same whatever the order.

use std::fmt;

use sketches_ddsketch::{Config, DDSketch};
use thiserror::Error;

/// The longest latency that is told from longer ones: 1e9 ms, 11 days.
const LONGEST: f64 = 1e9;

/// Latencies are whole numbers of this many milliseconds, 15 ns: sums of them are exact, so that they are the same in any
/// order of addition, and with [`LONGEST`] a sketch never has more buckets than its 2,048, which would depend on it, too.
const STEP: f64 = 1.0 / 65_536.0;

/// Latencies in milliseconds: a `DDSketch` of 1 % relative accuracy, with exact count, sum and maximum.
///
/// Its bytes are those of Java's `DDSketchWithExactSummaryStatistics`, which Java, Go and Python read. Only the defaults of
/// [`Config`] survive them.
#[derive(Clone, Default)]
pub struct Latencies(DDSketch);

/// Bytes that are no sketch of latencies.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a sketch of latencies that cannot be read: {0}")]
pub struct SketchError(String);

/// What a window's latencies are, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LatencySummary {
    /// How many rows have one.
    pub count: u64,
    /// Half of them are no longer, within 1 %.
    pub p50: f64,
    /// 95 of 100 are no longer, within 1 %.
    pub p95: f64,
    /// 99 of 100 are no longer, within 1 %.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Latencies {
    /// Adds a latency in milliseconds. What is no number is not added; what is below zero, as where a clock was set back,
    /// is zero.
    #[expect(clippy::cast_precision_loss)] // below 2^46
    pub fn add(&mut self, milliseconds: f64) {
        if let Some(steps) = steps(milliseconds) {
            self.0.add(steps as f64 * STEP);
        }
    }

    /// Adds those of another.
    pub fn merge(&mut self, other: &Self) {
        // Fails only for sketches of two configurations; all are of one.
        let merged = self.0.merge(&other.0);
        debug_assert!(merged.is_ok());
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.count() as u64
    }

    /// Their summary; none where there is no latency.
    pub fn summary(&self) -> Option<LatencySummary> {
        let quantile = |q| self.0.quantile(q).ok().flatten();
        Some(LatencySummary {
            count: self.count(),
            p50: quantile(0.5)?,
            p95: quantile(0.95)?,
            p99: quantile(0.99)?,
            max: self.0.max()?,
        })
    }

    /// The bytes, as Java's library writes them.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_java_bytes()
    }

    /// Reads bytes that [`to_bytes`](Self::to_bytes) has made.
    ///
    /// # Errors
    /// [`SketchError`] where they are none, or have not this count: some truncated ones can be read all the same.
    pub fn from_bytes(bytes: &[u8], count: u64) -> Result<Self, SketchError> {
        let sketch = DDSketch::from_java_bytes(bytes).map_err(|error| SketchError(error.to_string()))?;
        let latencies = Self(sketch);
        let mut probe = DDSketch::new(Config::defaults());
        if probe.merge(&latencies.0).is_err() {
            return Err(SketchError("it is of another accuracy".to_owned()));
        }
        if latencies.count() != count {
            return Err(SketchError(format!("it has {} latencies, not {count}", latencies.count())));
        }
        Ok(latencies)
    }
}

impl Extend<f64> for Latencies {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, latencies: I) {
        for latency in latencies {
            self.add(latency);
        }
    }
}

/// A latency in whole steps; none for what is no number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // from 0 to 2^46
pub(super) fn steps(milliseconds: f64) -> Option<u64> {
    (!milliseconds.is_nan()).then(|| (milliseconds.clamp(0.0, LONGEST) / STEP).round() as u64)
}

impl fmt::Debug for Latencies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Latencies").field(&self.summary()).finish()
    }
}

impl PartialEq for Latencies {
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes() == other.to_bytes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[f64]) -> Latencies {
        let mut latencies = Latencies::default();
        latencies.extend(values.iter().copied());
        latencies
    }

    fn hex(bytes: &[u8]) -> String {
        use std::fmt::Write as _;
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    fn any_latency() -> impl Strategy<Value = f64> {
        prop_oneof![
            8 => (-6.0_f64..10.0).prop_map(|exponent| 10_f64.powf(exponent)),
            1 => any::<f64>(),
            1 => Just(0.0),
        ]
    }

    /// The bytes of a release are read by the next ones: files stay for years.
    #[test]
    fn the_bytes_of_the_golden_file_are_read_and_written() {
        let golden = include_str!("latencies.golden");
        let lines: Vec<&str> = golden.lines().filter(|line| !line.starts_with('#')).collect();
        let values: Vec<f64> = (1..=200).map(|n| f64::from(n) * 1.5).chain([0.0, 0.25, 12_345.678]).collect();
        let (first, second) = values.split_at(90);
        let [first, second] = [of(first), of(second)];
        assert_eq!(lines, [hex(&first.to_bytes()), hex(&second.to_bytes())]);
        let read = |line: &str, count| {
            let bytes: Vec<u8> =
                (0..line.len()).step_by(2).map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap()).collect();
            Latencies::from_bytes(&bytes, count).unwrap()
        };
        let mut all = read(lines[0], 90);
        all.merge(&read(lines[1], 113));
        assert_eq!(all, of(&values));
        let summary = all.summary().unwrap();
        assert_eq!((summary.count, summary.max), (203, (12_345.678 / STEP).round() * STEP));
        for (quantile, exact) in [(summary.p50, 148.5), (summary.p95, 285.0), (summary.p99, 297.0)] {
            assert!((quantile / exact - 1.0_f64).abs() <= 0.010_001, "{quantile} for {exact}");
        }
    }

    #[test]
    fn what_is_no_sketch_is_refused() {
        let bytes = of(&[1.0, 2.0, 300.0]).to_bytes();
        assert!(Latencies::from_bytes(&bytes, 3).is_ok());
        assert_eq!(Latencies::from_bytes(&bytes, 4), Err(SketchError("it has 3 latencies, not 4".to_owned())));
        for length in 0..bytes.len() {
            assert!(Latencies::from_bytes(&bytes[..length], 3).is_err(), "{length} bytes");
        }
        let mut coarse = DDSketch::new(Config::new(0.05, 2_048, 1e-9));
        coarse.add(1.0);
        let error = Latencies::from_bytes(&coarse.to_java_bytes(), 1).unwrap_err();
        assert_eq!(error.to_string(), "a sketch of latencies that cannot be read: it is of another accuracy");
        assert_eq!(Latencies::default().summary(), None);
    }

    proptest! {
        /// Objects come in any order, and are merged in any grouping: the bytes are the same.
        #[test]
        fn the_bytes_do_not_depend_on_the_order(
            values in proptest::collection::vec(any_latency(), 0..200),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
            order in any::<u64>(),
        ) {
            let mut parts: Vec<&[f64]> = Vec::new();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(values.len() + 1)).collect();
            cuts.sort_unstable();
            let mut from = 0;
            for cut in cuts {
                parts.push(&values[from..cut]);
                from = cut;
            }
            parts.push(&values[from..]);
            let rotate = usize::try_from(order % parts.len() as u64).unwrap();
            parts.rotate_left(rotate);
            let mut merged = Latencies::default();
            for part in parts.iter().rev() {
                let part = of(part);
                merged.merge(&Latencies::from_bytes(&part.to_bytes(), part.count()).unwrap());
            }
            prop_assert_eq!(&merged, &of(&values));
            prop_assert_eq!(merged.summary(), of(&values).summary());
        }

        #[test]
        fn a_quantile_is_within_one_percent_of_the_exact_one(
            values in proptest::collection::vec(0.01_f64..1e6, 1..300),
        ) {
            let summary = of(&values).summary().unwrap();
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            for (q, quantile) in [(0.5, summary.p50), (0.95, summary.p95), (0.99, summary.p99)] {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
                let exact = sorted[(q * (sorted.len() - 1) as f64) as usize];
                prop_assert!((quantile / exact - 1.0).abs() < 0.0115, "{} for {}", quantile, exact);
            }
        }
    }
}
