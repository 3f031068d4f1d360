//! What a backfill has before it, and what it costs.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::{HumanBytes, HumanDuration};
use millrace_cost::{Backfill, Item, Prices};
use millrace_stages::RawObjects;
use serde_json::{Value, json};

use crate::text_table::{grouped, write_table};

/// How many objects infra/ cleans at once where nothing is set (`lake.stage_concurrency`).
const AT_ONCE: f64 = 10.0;

/// A backfill, before it is started.
pub(super) struct Plan {
    pub(super) lake: String,
    pub(super) prefix: String,
    pub(super) found: RawObjects,
    region: String,
    prices_as_of: String,
    seconds: f64,
    items: Vec<Item>,
    kept: Item,
}

impl Plan {
    pub(super) fn new(
        lake: String,
        prefix: String,
        found: RawObjects,
        prices: &Prices,
        region: String,
        prices_as_of: String,
    ) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "an estimate")]
        let (objects, cleaned) = (found.objects as f64, found.cleaned as f64);
        let backfill = Backfill { objects, cleaned, line_bytes: found.line_bytes() };
        let (items, kept) = (backfill.items(prices), backfill.rows_kept(prices));
        Self { lake, prefix, found, region, prices_as_of, seconds: backfill.seconds() / AT_ONCE, items, kept }
    }

    /// What it costs, once.
    pub(super) fn dollars(&self) -> f64 {
        self.items.iter().map(|item| item.dollars).sum()
    }

    pub(super) fn to_text(&self) -> String {
        let Self { lake, prefix, found, region, prices_as_of, kept, .. } = self;
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "shown"
        )]
        let (count, line_bytes) = (|number: u64| grouped(number as f64, 0), HumanBytes(found.line_bytes() as u64));
        let mut text =
            format!("{lake}, {prefix}: {} objects of {}", count(found.objects), HumanBytes(found.stored_bytes));
        if found.cleaned > 0 {
            let _ = write!(text, ", of which {} are cleaned already", count(found.cleaned));
        }
        let sample = found.sampled + found.unreadable;
        let _ = write!(text, "\nabout {line_bytes} of lines to clean, estimated from {} objects", found.sampled);
        if found.unreadable > 0 {
            let _ = write!(
                text,
                "; {} of {sample} sampled ones cannot be read (archived or deleted), and would fail",
                found.unreadable
            );
        }
        text.push('\n');
        let took = HumanDuration(Duration::from_secs_f64(self.seconds));
        let _ = writeln!(text, "about {took} with ten objects at once; prices of {region}, {prices_as_of}\n");
        let row = |item: &Item, unit: &str| {
            let decimals = usize::from(item.quantity.fract() != 0.0 && item.quantity < 1_000.0);
            let quantity = format!("{} {}", grouped(item.quantity, decimals), item.unit);
            [item.name.to_owned(), quantity, format!("{}{unit}", dollars(item.dollars))]
        };
        let mut rows: Vec<_> = self.items.iter().map(|item| row(item, "")).collect();
        rows.push(["all".to_owned(), String::new(), dollars(self.dollars())]);
        rows.push(row(kept, " each month from then on"));
        write_table(&mut text, ["WHAT", "HOW MUCH", "$"], rows.into_iter());
        text
    }

    /// The plan, and the run that was made of it, or null.
    pub(super) fn to_json(&self, run: &Value) -> String {
        let item = |item: &Item| json!({"name": item.name, "quantity": item.quantity, "unit": item.unit, "dollars": item.dollars});
        let plan = json!({
            "lake": self.lake, "prefix": self.prefix, "objects": self.found.objects, "cleaned_already": self.found.cleaned,
            "stored_bytes": self.found.stored_bytes, "line_bytes": self.found.line_bytes(), "sampled": self.found.sampled,
            "unreadable": self.found.unreadable,
            "region": self.region, "prices_as_of": self.prices_as_of, "seconds": self.seconds,
            "items": self.items.iter().map(item).collect::<Vec<_>>(), "dollars": self.dollars(),
            "dollars_a_month": self.kept.dollars, "run": run,
        });
        format!("{plan:#}\n")
    }
}

/// An amount, below a dollar with what is below a cent.
pub(super) fn dollars(amount: f64) -> String {
    grouped(amount, if amount < 1.0 { 4 } else { 2 })
}
