//! A backfill of the lake: raw objects that are cleaned by Step Functions and the functions of the lake.

use crate::model::lake;
use crate::{Item, Prices, Stage};

/// What is to be cleaned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backfill {
    /// Raw objects.
    pub objects: f64,
    /// Those of them that are cleaned already: they cost a call that finds so.
    pub cleaned: f64,
    /// Bytes of the others' lines, uncompressed.
    pub line_bytes: f64,
}

/// Gigabytes that Step Functions counts for an object's run: in steps of 64 MB.
const RUN_MEMORY_GB: f64 = 0.064;

/// Reads of the bucket for an object that is cleaned already: its own head, and its manifest.
const READS_OF_CLEANED: f64 = 2.0;

/// Messages of an object's rows: sent, received, deleted.
const MESSAGES: f64 = 3.0;

/// What an object's call takes beside its bytes, in seconds: its manifest and the answers of S3, Kafka and the bus.
const CALL_SECONDS: f64 = 0.5;

/// Gigabytes of memory of log-clean and log-metrics.
const FUNCTION_GB: f64 = 0.5;

/// The processors of a function with so much memory.
const FUNCTION_PROCESSORS: f64 = FUNCTION_GB / lake::GB_SECONDS;

impl Backfill {
    /// How long log-clean takes for all objects, in seconds, one after the other.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.objects * CALL_SECONDS + self.line_bytes * lake::CLEAN_CPU / FUNCTION_PROCESSORS
    }

    /// What it costs, once. Records on Kafka and what log-indexer does with them are those of the installation.
    #[must_use]
    pub fn items(&self, prices: &Prices) -> Vec<Item> {
        let Self { objects, cleaned, line_bytes } = *self;
        let left = objects - cleaned;
        let item = |name, quantity, unit, dollars| Item { stage: Stage::Lake, name, quantity, unit, dollars };
        let run = prices.state_transition_thousand / 1e3 + prices.express_million_requests / 1e6;
        let runs = objects * run + self.seconds() * RUN_MEMORY_GB * prices.express_gb_second;
        // log-clean for each, and log-metrics for what that has written.
        let calls = objects + left;
        let gb_seconds =
            line_bytes * (lake::CLEAN_CPU + lake::METRICS_CPU) * lake::GB_SECONDS + calls * CALL_SECONDS * FUNCTION_GB;
        let calls = calls / 1e6;
        let writes = left * lake::WRITES / 1e3;
        let reads = (left * lake::READS + cleaned * READS_OF_CLEANED) / 1e3;
        let requests = writes * prices.bucket_thousand_writes + reads * prices.bucket_thousand_reads;
        let messages = left * MESSAGES / 1e6;
        vec![
            item("Step Functions", objects, "objects", runs),
            item("functions, calls", calls, "million", calls * prices.function_million_requests),
            item("functions, time", gb_seconds, "GB-seconds", gb_seconds * prices.function_gb_second),
            item("requests to the bucket", writes + reads, "thousand", requests),
            item("queues", messages, "million requests", messages * prices.queue_million_requests),
        ]
    }

    /// What its rows cost from then on, a month.
    #[must_use]
    pub fn rows_kept(&self, prices: &Prices) -> Item {
        let kept = self.line_bytes * lake::ROWS_KEPT / lake::GIB;
        let dollars = kept * prices.bucket_gb_month;
        Item { stage: Stage::Lake, name: "rows, kept", quantity: kept, unit: "GB", dollars }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PriceBook;

    /// A month of objects, one a minute, of 10 MiB of lines each: 44,640 starts are $1.16, 422 GiB cleaned.
    #[test]
    fn a_month_of_objects_costs_what_its_parts_do() {
        let prices = &PriceBook::built_in().regions["us-east-1"];
        let month = Backfill { objects: 44_640.0, cleaned: 0.0, line_bytes: 44_640.0 * 10.0 * 1_048_576.0 };
        let items = month.items(prices);
        let dollars = |name: &str| items.iter().find(|item| item.name == name).unwrap().dollars;
        let near = |found: f64, expected: f64| (found - expected).abs() < expected / 100.0;
        // 44,640 × ($25 + $1) a million, and 73 thousand seconds of 64 MB.
        let seconds = month.seconds();
        assert!(near(dollars("Step Functions"), 1.1606 + seconds * 0.064 * 0.000_016_67), "{items:?}");
        assert!(near(dollars("functions, calls"), 0.0179), "{items:?}");
        assert!(near(dollars("requests to the bucket"), 44.64 * (5.0 * 0.005 + 9.0 * 0.0004)), "{items:?}");
        assert!(near(month.rows_kept(prices).quantity, 65.39), "{:?}", month.rows_kept(prices));
        let again = Backfill { cleaned: month.objects, line_bytes: 0.0, ..month };
        let sum = |items: &[Item]| items.iter().map(|item| item.dollars).sum::<f64>();
        assert!(sum(&again.items(prices)) < sum(&items) / 2.0, "{:?}", again.items(prices));
        let none = Backfill { objects: 0.0, cleaned: 0.0, line_bytes: 0.0 };
        assert!(none.items(prices).iter().all(|item| item.dollars == 0.0));
    }
}
