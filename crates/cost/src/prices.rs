//! AWS's prices, by region.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;

/// A file of prices.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceBook {
    /// The day on which they held, as `YYYY-MM-DD`.
    pub as_of: String,
    /// Where they come from.
    pub source: String,
    /// Prices, by region.
    pub regions: BTreeMap<String, Prices>,
}

/// A region's prices, in US dollars.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// API Gateway's HTTP API: a million requests, cheaper above a number of them.
    pub http_api_million_requests: Vec<Tier>,
    /// Lambda: a million requests.
    pub function_million_requests: f64,
    /// Lambda on arm64: a gigabyte of memory for a second.
    pub function_gb_second: f64,
    /// An Application Load Balancer: an hour.
    pub load_balancer_hour: f64,
    /// Its capacity unit (LCU): an hour.
    pub load_balancer_unit_hour: f64,
    /// MSK's standard brokers: an hour, by type.
    pub broker_hour: BTreeMap<String, f64>,
    /// MSK's storage.
    pub broker_storage_gb_month: f64,
    /// EC2 instances on demand: an hour, by type. All have two processors.
    pub instance_hour: BTreeMap<String, f64>,
    /// EBS volumes (gp3).
    pub disk_gb_month: f64,
    /// Aurora Serverless v2: a capacity unit (ACU) for an hour.
    pub database_unit_hour: f64,
    /// Aurora's storage.
    pub database_storage_gb_month: f64,
    /// Aurora's reads and writes of storage: a million.
    pub database_million_ios: f64,
    /// Firehose: what it takes, packed so that its steps of 5 KB do not count.
    pub firehose_gb: f64,
    /// S3: what is kept.
    pub bucket_gb_month: f64,
    /// S3: a thousand writes and lists.
    pub bucket_thousand_writes: f64,
    /// S3: a thousand reads.
    pub bucket_thousand_reads: f64,
    /// SQS: a million requests.
    pub queue_million_requests: f64,
    /// Step Functions: a thousand state transitions of a standard workflow.
    pub state_transition_thousand: f64,
    /// Step Functions: a million express workflows that are started.
    pub express_million_requests: f64,
    /// Step Functions: a gigabyte of memory of an express workflow for a second.
    pub express_gb_second: f64,
    /// A NAT gateway: an hour.
    pub nat_hour: f64,
    /// An interface endpoint in one zone: an hour.
    pub endpoint_hour: f64,
    /// Traffic between two zones; both directions, which are billed to the sender and the receiver.
    pub between_zones_gb: f64,
    /// CloudWatch Logs: what is written.
    pub logs_gb: f64,
    /// CloudWatch Logs: what is kept, compressed.
    pub logs_kept_gb_month: f64,
    /// A CloudWatch alarm.
    pub alarm_month: f64,
    /// A CloudWatch dashboard.
    pub dashboard_month: f64,
    /// A KMS key.
    pub key_month: f64,
    /// A secret.
    pub secret_month: f64,
}

/// A price up to a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// The quantity in millions, a month; none for the last tier.
    pub up_to_millions: Option<f64>,
    /// The price of a million.
    pub dollars: f64,
}

/// Why a file holds no prices.
#[derive(Debug, Error)]
pub enum PriceError {
    /// It is not JSON of this shape.
    #[error("not a file of prices: {0}")]
    Shape(#[from] serde_json::Error),
    /// A price is no price.
    #[error("{region}: {setting} must be 0 or more")]
    Negative {
        /// The region.
        region: String,
        /// The price.
        setting: String,
    },
    /// The tiers of requests.
    #[error("{region}: http_api_million_requests must have tiers that rise, and a last one without an end (null)")]
    Tiers {
        /// The region.
        region: String,
    },
}

impl PriceBook {
    /// The prices in this crate.
    ///
    /// # Panics
    /// Never: a test reads the file.
    #[must_use]
    pub fn built_in() -> Self {
        Self::read(include_str!("../prices.json")).expect("a test reads the file")
    }

    /// Reads a file of prices.
    ///
    /// # Errors
    /// It has another shape.
    pub fn read(text: &str) -> Result<Self, PriceError> {
        let book: Self = serde_json::from_str(text)?;
        let values: serde_json::Value = serde_json::from_str(text)?;
        for (region, prices) in &book.regions {
            if let Some(setting) = negative(&values["regions"][region], "") {
                return Err(PriceError::Negative { region: region.clone(), setting });
            }
            let tiers = &prices.http_api_million_requests;
            let rise =
                tiers.windows(2).all(|pair| pair[0].up_to_millions < pair[1].up_to_millions.or(Some(f64::INFINITY)));
            let ends = tiers.iter().map(|tier| tier.up_to_millions.is_none());
            if !rise || !ends.enumerate().all(|(at, is_last)| is_last == (at + 1 == tiers.len())) || tiers.is_empty() {
                return Err(PriceError::Tiers { region: region.clone() });
            }
        }
        Ok(book)
    }
}

/// The first setting with a negative number.
fn negative(value: &serde_json::Value, name: &str) -> Option<String> {
    match value {
        serde_json::Value::Number(number) => (number.as_f64() < Some(0.0)).then(|| name.to_owned()),
        serde_json::Value::Array(values) => values.iter().find_map(|value| negative(value, name)),
        serde_json::Value::Object(values) => values.iter().find_map(|(name, value)| negative(value, name)),
        _ => None,
    }
}

impl Prices {
    /// The price of so many requests to an HTTP API, each million at its tier's price.
    pub(crate) fn http_api(&self, requests: f64) -> f64 {
        let mut below = 0.0;
        let mut dollars = 0.0;
        for tier in &self.http_api_million_requests {
            let end = tier.up_to_millions.unwrap_or(f64::INFINITY) * 1e6;
            dollars += (requests.min(end) - below).max(0.0) / 1e6 * tier.dollars;
            below = end;
        }
        dollars
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_price_is_named() {
        assert_eq!(PriceBook::built_in().as_of.len(), "2025-07-01".len());
        let with = |was: &str, is: &str| {
            let text = include_str!("../prices.json");
            assert!(text.contains(was), "{was}");
            PriceBook::read(&text.replacen(was, is, 1)).map(drop).unwrap_err().to_string()
        };
        assert_eq!(with("\"nat_hour\": 0.045", "\"nat_hour\": -1"), "us-east-1: nat_hour must be 0 or more");
        assert_eq!(with("\"t4g.large\": 0.0672", "\"t4g.large\": -1"), "us-east-1: t4g.large must be 0 or more");
        assert!(with("\"nat_hour\"", "\"nat_hours\"").contains("unknown field `nat_hours`"));
        for tiers in [
            "[]",
            r#"[{"up_to_millions": 300, "dollars": 1}]"#,
            r#"[{"up_to_millions": null, "dollars": 1}, {"up_to_millions": 300, "dollars": 1}]"#,
            r#"[{"up_to_millions": 9, "dollars": 1}, {"up_to_millions": 3, "dollars": 1}, {"up_to_millions": null, "dollars": 1}]"#,
        ] {
            let all = r#"[{ "up_to_millions": 300, "dollars": 1.0 }, { "up_to_millions": null, "dollars": 0.9 }]"#;
            assert!(with(all, tiers).contains("tiers that rise"), "{tiers}");
        }
    }

    /// 300 million at $1.00, and 200 million at $0.90.
    #[test]
    fn requests_above_a_tier_cost_its_price() {
        let prices = &PriceBook::built_in().regions["us-east-1"];
        assert!((prices.http_api(100e6) - 100.0).abs() < 1e-6);
        assert!((prices.http_api(500e6) - 480.0).abs() < 1e-6);
    }
}
