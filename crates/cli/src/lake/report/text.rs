//! A summary for the terminal.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use indicatif::HumanCount;
use millrace_lake::metrics::Window;

use super::summary::{Outage, Summary, time};
use crate::text_table::write_table;

/// The most columns of a chart.
const CHART: i64 = 30;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

const OUTAGE: Style = AnsiColor::Red.on_default().bold();

/// The summary as text.
pub(super) fn of(summary: &Summary) -> String {
    let mut text = String::new();
    let (from, until) = (time(summary.time.start), time(summary.time.end));
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{} to {}\n", from.strftime("%F %H:%M"), until.strftime("%F %H:%M UTC"));
    let rows = summary.services.iter().map(|service| {
        let latency = service.all.latencies.summary();
        let milliseconds = |value: Option<f64>| value.map_or("-".to_owned(), milliseconds);
        let buckets = summary.buckets(service, CHART);
        [
            service.name.replace(char::is_control, " "),
            HumanCount(service.all.count).to_string(),
            HumanCount(service.all.errors).to_string(),
            format!("{:.1} %", service.all.error_rate() * 100.0),
            milliseconds(latency.map(|latency| latency.p50)),
            milliseconds(latency.map(|latency| latency.p95)),
            milliseconds(latency.map(|latency| latency.p99)),
            chart(buckets.iter().map(|(_, window)| count(window))),
            chart(buckets.iter().map(|(_, window)| window.error_rate())),
        ]
    });
    let head =
        ["SERVICE", "ROWS", "ERRORS", "SHARE", "P50 ms", "P95 ms", "P99 ms", "ROWS OVER TIME", "ERRORS OVER TIME"];
    write_table(&mut text, head, rows);
    text.push('\n');
    if summary.outages.is_empty() {
        text.push_str("Nothing unusual.\n");
    }
    for outage in &summary.outages {
        write_outage(&mut text, outage);
    }
    text
}

fn write_outage(text: &mut String, outage: &Outage) {
    let start = outage.raised.anomaly.window_start.strftime("%F %H:%M");
    let end = outage.resolved_at.map(|end| format!(" to {}", end.strftime("%H:%M")));
    let end = end.unwrap_or_else(|| ", not over".to_owned());
    let alert = outage.alert();
    let _ = writeln!(text, "{OUTAGE}{start}{end}{OUTAGE:#}  {}", alert.headline());
    for line in alert.body().lines().skip(1) {
        let _ = writeln!(text, "    {line}");
    }
}

#[expect(clippy::cast_precision_loss, reason = "a chart for people")]
fn count(window: &Window) -> f64 {
    window.count as f64
}

/// Values as bars, of which the highest is the greatest value's; no bar is zero.
fn chart(values: impl Iterator<Item = f64> + Clone) -> String {
    let greatest = values.clone().fold(0.0, f64::max);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 7")]
    let bar = |value: f64| {
        if value <= 0.0 { ' ' } else { BARS[((value / greatest * 8.0).ceil() as usize).clamp(1, 8) - 1] }
    };
    values.map(bar).collect()
}

fn milliseconds(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::summary;
    use super::*;

    #[test]
    fn the_text_has_a_line_a_service_and_each_outage() {
        let text = anstream::adapter::strip_str(&of(&summary(86_400))).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "2026-01-31 10:00 to 2026-01-31 12:00 UTC");
        assert!(lines[3].starts_with("shop <1>  24,000  120     0.5 %  "), "{text}");
        assert!(lines[4].starts_with("pay       12,000  415     3.5 %  "), "{text}");
        assert_eq!(lines[6], "2026-01-31 11:30 to 11:35  pay: 60 % errors, expected 1.0 %");
        assert!(
            lines[7].starts_with("    pay: p95 of 1.9 s in the minute from 2026-01-31T11:30:00Z, expected 38 ms"),
            "{text}"
        );
    }

    #[test]
    fn bars_are_as_high_as_their_values() {
        assert_eq!(chart([0.0, 0.1, 4.0, 8.0].into_iter()), " ▁▄█");
        assert_eq!(chart([0.0, 0.0].into_iter()), "  ");
    }
}
