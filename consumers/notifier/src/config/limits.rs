//! The table `limits` of a destination.

use std::time::Duration;

use millrace_domain::Backoff;
use millrace_host::settings::duration;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::error::ConfigProblem;
use crate::delivery::{Limits, RetryPolicy};

/// The table as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LimitsTable {
    #[serde(deserialize_with = "time")]
    timeout: Option<Duration>,
    attempts: Option<u32>,
    #[serde(deserialize_with = "time")]
    backoff: Option<Duration>,
    #[serde(deserialize_with = "time")]
    backoff_cap: Option<Duration>,
    concurrency: Option<u32>,
    queue: Option<u32>,
    breaker_failures: Option<u32>,
    #[serde(deserialize_with = "time")]
    breaker_cool_down: Option<Duration>,
    rate: Option<f64>,
    burst: Option<u32>,
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    duration(&text).map(Some).map_err(|problem| D::Error::custom(format!("invalid duration {text:?}: {problem}")))
}

/// The largest `timeout`.
const MAX_TIMEOUT: Duration = Duration::from_mins(1);

impl LimitsTable {
    /// The limits, with `default` for what is not given.
    pub(super) fn read(&self, key: &str, default: &Limits) -> Result<Limits, ConfigProblem> {
        self.check(key)?;
        let count = |given: Option<u32>, default: usize| given.map_or(default, |count| count as usize);
        Ok(Limits {
            timeout: self.timeout.unwrap_or(default.timeout),
            retry: RetryPolicy {
                attempts: self.attempts.unwrap_or(default.retry.attempts),
                backoff: Backoff {
                    base: self.backoff.unwrap_or(default.retry.backoff.base),
                    cap: self.backoff_cap.unwrap_or(default.retry.backoff.cap),
                },
            },
            queue: count(self.queue, default.queue),
            concurrency: count(self.concurrency, default.concurrency),
            rate: self.rate.map(|per_second| (per_second, self.burst.unwrap_or(1))),
            breaker_failures: self.breaker_failures.unwrap_or(default.breaker_failures),
            breaker_cool_down: self.breaker_cool_down.unwrap_or(default.breaker_cool_down),
        })
    }

    fn check(&self, key: &str) -> Result<(), ConfigProblem> {
        let invalid = |name: &str, problem: &str| Err(ConfigProblem::at(format!("{key}.{name}"), problem));
        for (name, given) in [
            ("attempts", self.attempts),
            ("concurrency", self.concurrency),
            ("queue", self.queue),
            ("breaker_failures", self.breaker_failures),
            ("burst", self.burst),
        ] {
            if given == Some(0) {
                return invalid(name, "must be at least 1");
            }
        }
        for (name, given) in [("timeout", self.timeout), ("breaker_cool_down", self.breaker_cool_down)] {
            if given == Some(Duration::ZERO) {
                return invalid(name, "must be longer than 0s");
            }
        }
        if self.timeout.is_some_and(|timeout| timeout > MAX_TIMEOUT) {
            return invalid("timeout", "must be at most 60s");
        }
        match self.rate {
            Some(rate) if !(0.001..=1e6).contains(&rate) => {
                invalid("rate", "must be between 0.001 and 1000000 a second")
            }
            None if self.burst.is_some() => invalid("burst", "needs a rate"),
            _ => Ok(()),
        }
    }
}
