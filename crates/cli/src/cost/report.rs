//! The bill as a table and as JSON.

use std::fmt::Write as _;

use millrace_cost::{Estimate, Stage, Workload};
use serde_json::{Map, Value, json};

use crate::text_table::{grouped, write_table};

/// A bill and what it is for.
pub(super) struct Report<'a> {
    /// The installation's name.
    pub(super) example: &'a str,
    pub(super) region: &'a str,
    pub(super) prices_as_of: &'a str,
    pub(super) workload: Workload,
    pub(super) estimate: Estimate,
    /// Events a second from which a load balancer is cheaper than API Gateway.
    pub(super) load_balancer_from: Option<f64>,
}

impl Report<'_> {
    fn stages(&self) -> Vec<Stage> {
        let mut stages: Vec<_> = self.estimate.items.iter().map(|item| item.stage).collect();
        stages.dedup();
        stages
    }

    pub(super) fn to_text(&self) -> String {
        let Self { example, region, prices_as_of, workload, estimate, .. } = self;
        let rate = grouped(workload.events_per_second, 0);
        let events = if rate == "1" { "event" } else { "events" };
        let mut text = format!(
            "{rate} {events} a second of {} bytes, {} a request: {} million a month\n\
             examples/{example} in {region}, prices of {prices_as_of}\n\n",
            grouped(f64::from(workload.value_bytes), 0),
            workload.batch,
            grouped(estimate.million_events, 1),
        );
        let money = |dollars: f64| {
            let a_million = estimate.per_million(dollars).map_or_else(|| "-".to_owned(), |dollars| grouped(dollars, 4));
            [grouped(dollars, 2), a_million]
        };
        let mut rows = Vec::new();
        for stage in self.stages() {
            for item in estimate.items.iter().filter(|item| item.stage == stage) {
                let [month, million] = money(item.dollars);
                let decimals = usize::from(item.quantity.fract() != 0.0);
                let quantity = format!("{} {}", grouped(item.quantity, decimals), item.unit);
                rows.push([stage.as_str().to_owned(), item.name.to_owned(), quantity, month, million]);
            }
            let [month, million] = money(estimate.of(stage));
            rows.push([stage.as_str().to_owned(), "all".to_owned(), String::new(), month, million]);
        }
        let [month, million] = money(estimate.dollars());
        rows.push(["all".to_owned(), String::new(), String::new(), month, million]);
        write_table(&mut text, ["STAGE", "WHAT", "A MONTH", "$ A MONTH", "$ A MILLION"], rows.into_iter());
        text.push('\n');
        match self.load_balancer_from {
            Some(rate) => writeln!(
                text,
                "From {} events a second on, a load balancer and `millrace serve` cost less than API Gateway and the function.",
                grouped(rate, 0)
            ),
            None => writeln!(text, "API Gateway and the function cost less than a load balancer and `millrace serve`."),
        }
        // Writing to a text does not fail.
        .unwrap_or_default();
        for warning in &estimate.warnings {
            let _ = writeln!(text, "Warning: {warning}.");
        }
        text
    }

    pub(super) fn to_json(&self) -> Value {
        let Self { estimate, .. } = self;
        let stage = |stage: Stage| {
            let items = estimate.items.iter().filter(|item| item.stage == stage).map(|item| {
                json!({
                    "name": item.name,
                    "quantity": item.quantity,
                    "unit": item.unit,
                    "dollars_a_month": item.dollars,
                })
            });
            let dollars = estimate.of(stage);
            let value = json!({
                "dollars_a_month": dollars,
                "dollars_a_million_events": estimate.per_million(dollars),
                "items": items.collect::<Vec<_>>(),
            });
            (stage.as_str().to_owned(), value)
        };
        json!({
            "example": self.example,
            "region": self.region,
            "prices_as_of": self.prices_as_of,
            "events_a_second": self.workload.events_per_second,
            "million_events_a_month": estimate.million_events,
            "stages": self.stages().into_iter().map(stage).collect::<Map<_, _>>(),
            "dollars_a_month": estimate.dollars(),
            "dollars_a_million_events": estimate.per_million(estimate.dollars()),
            "load_balancer_from_events_a_second": self.load_balancer_from,
            "warnings": estimate.warnings,
        })
    }
}
