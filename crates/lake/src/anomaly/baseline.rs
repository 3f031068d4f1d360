//! What is usual, of which some values were not.

/// Makes the median absolute deviation of normally distributed values their standard deviation.
const NORMAL: f64 = 1.4826;

/// The middle of some values, and how far from it they usually are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Baseline {
    /// The median.
    pub(super) middle: f64,
    /// The median absolute deviation, as a standard deviation.
    pub(super) spread: f64,
}

impl Baseline {
    /// The baseline of these values; none where there are none.
    pub(super) fn of(mut values: Vec<f64>) -> Option<Self> {
        let middle = median(&mut values)?;
        for value in &mut values {
            *value = (*value - middle).abs();
        }
        Some(Self { middle, spread: NORMAL * median(&mut values)? })
    }

    /// How many spreads a value is above the middle, where the spread is at least so much.
    pub(super) fn score(self, value: f64, least_spread: f64) -> f64 {
        (value - self.middle) / self.spread.max(least_spread)
    }
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 { Some(upper) } else { Some(f64::midpoint(*values.get(middle - 1)?, upper)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_odd_values_do_not_move_it() {
        let usual = Baseline::of(vec![9.0, 10.0, 10.0, 11.0, 10.0, 9.0, 11.0]).unwrap();
        let odd = Baseline::of(vec![9.0, 10.0, 10.0, 11.0, 10.0, 9.0, 11.0, 1e6, 1e6]).unwrap();
        assert_eq!((usual.middle, usual.spread), (10.0, NORMAL));
        assert_eq!((odd.middle, odd.spread), (10.0, NORMAL));
        assert_eq!(Baseline::of(vec![3.0, 1.0]), Some(Baseline { middle: 2.0, spread: NORMAL }));
        assert_eq!(Baseline::of(vec![7.0]), Some(Baseline { middle: 7.0, spread: 0.0 }));
        assert_eq!(Baseline::of(Vec::new()), None);
    }
}
