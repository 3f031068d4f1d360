//! A summary as an SVG image: for each service its rows with their errors, and its 95th percentile.

use std::fmt::Write as _;

use indicatif::HumanCount;

use super::summary::{Service, Summary, time};
use crate::lake::counted;
use crate::xml_text::escaped;

const WIDTH: f64 = 1_000.0;
const LEFT: f64 = 210.0;
const RIGHT: f64 = 24.0;
/// Where the legend begins, right of the title.
const LEGEND: f64 = 420.0;
const TOP: f64 = 56.0;
/// The height of a service's chart, and the space below it.
const CHART: f64 = 60.0;
const SPACE: f64 = 26.0;

/// The most bars of a chart.
const BARS: i64 = 180;

const STYLE: &str = "text{font-family:system-ui,sans-serif;font-size:13px;fill:#1f2933}.note{font-size:11px;fill:#616e7c}\
.name{font-weight:600}.rows{fill:#9fb3c8}.errors{fill:#d64545}.latency{fill:none;stroke:#2d6a9f;stroke-width:1.5}\
.outage{fill:#d64545;fill-opacity:.12}.axis{stroke:#cbd2d9}";

/// The summary as an SVG document.
pub(super) fn of(summary: &Summary) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a few services")]
    let height = TOP + summary.services.len() as f64 * (CHART + SPACE) + 10.0;
    let (from, until) = (time(summary.time.start), time(summary.time.end));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\">\n\
         <style>{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"26\">{} to {}</text>\n\
         <text class=\"note\" x=\"{LEGEND}\" y=\"26\">bars: rows, errors in red; line: p95; shaded: unusual</text>\n",
        from.strftime("%F %H:%M"),
        until.strftime("%F %H:%M UTC"),
    );
    let mut top = TOP;
    for service in &summary.services {
        write_service(&mut svg, summary, service, top);
        top += CHART + SPACE;
    }
    svg + "</svg>\n"
}

fn write_service(svg: &mut String, summary: &Summary, service: &Service, top: f64) {
    let bottom = top + CHART;
    let buckets = summary.buckets(service, BARS);
    #[expect(clippy::cast_precision_loss, reason = "a picture for people")]
    let x = |second: i64| {
        let part = (second - summary.time.start) as f64 / (summary.time.end - summary.time.start) as f64;
        LEFT + part.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    };
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "<text class=\"name\" x=\"16\" y=\"{}\">{}</text>", top + 16.0, escaped(&service.name));
    let all = &service.all;
    let rows = format!("{}, {:.1} % errors", counted(all.count, "rows"), all.error_rate() * 100.0);
    let _ = writeln!(svg, "<text class=\"note\" x=\"16\" y=\"{}\">{rows}</text>", top + 34.0);
    if let Some(latency) = all.latencies.summary() {
        let text = format!("p50 {:.1} ms, p95 {:.1} ms", latency.p50, latency.p95);
        let _ = writeln!(svg, "<text class=\"note\" x=\"16\" y=\"{}\">{text}</text>", top + 50.0);
    }
    #[expect(clippy::cast_precision_loss, reason = "a picture for people")]
    let number = |count: u64| count as f64;
    let most = buckets.iter().map(|(_, window)| number(window.count)).fold(1.0, f64::max);
    let width = buckets.get(1).map_or(WIDTH - LEFT - RIGHT, |(second, _)| x(*second) - LEFT);
    for (second, window) in buckets.iter().filter(|(_, window)| window.count > 0) {
        for (class, count) in [("rows", window.count), ("errors", window.errors)] {
            let height = number(count) / most * CHART;
            if count > 0 {
                let (x, y, width) = (x(*second), bottom - height, (width - 0.5).max(0.5));
                let _ = writeln!(
                    svg,
                    "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
                );
            }
        }
    }
    // Over the bars, so that it shows.
    for outage in summary.outages.iter().filter(|outage| outage.raised.anomaly.service == service.name) {
        let start = x(outage.raised.anomaly.window_start.as_second());
        let end = x(outage.resolved_at.map_or(summary.time.end, jiff::Timestamp::as_second));
        let title = outage.alert().headline();
        let _ = writeln!(
            svg,
            "<rect class=\"outage\" x=\"{start:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{CHART}\"><title>{}</title></rect>",
            (end - start).max(2.0),
            escaped(&title)
        );
    }
    let p95 = buckets.iter().map(|(second, window)| Some((x(*second) + width / 2.0, window.latencies.summary()?.p95)));
    let p95: Vec<(f64, f64)> = p95.flatten().collect();
    let longest = p95.iter().map(|(_, latency)| *latency).fold(f64::MIN_POSITIVE, f64::max);
    if p95.len() > 1 {
        let points = p95.iter().fold(String::new(), |mut points, (x, latency)| {
            let _ = write!(points, "{x:.1},{:.1} ", bottom - latency / longest * (CHART - 4.0));
            points
        });
        let _ = writeln!(svg, "<polyline class=\"latency\" points=\"{}\"/>", points.trim_end());
    }
    let _ = writeln!(
        svg,
        "<line class=\"axis\" x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{}\" y2=\"{bottom}\"/>\
         <text class=\"note\" x=\"{LEFT}\" y=\"{}\">at most {} rows</text>",
        WIDTH - RIGHT,
        bottom + 13.0,
        HumanCount(buckets.iter().map(|(_, window)| window.count).max().unwrap_or_default())
    );
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::summary;
    use super::*;

    #[test]
    fn the_picture_has_a_chart_a_service_and_each_outage() {
        let svg = of(&summary(86_400));
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
        assert_eq!(svg.matches("class=\"name\"").count(), 2);
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert_eq!(svg.matches("class=\"rows\"").count(), 240);
        assert_eq!(svg.matches("class=\"outage\"").count(), 1);
        assert!(
            svg.contains(">shop &lt;1&gt;<") && svg.contains("<title>pay: 60 % errors, expected 1.0 %</title>"),
            "{svg}"
        );
    }
}
