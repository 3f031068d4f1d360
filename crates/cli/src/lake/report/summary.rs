//! What a part of a lake comes to.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use millrace_lake::anomaly::{AlertEvent, Alerts, Anomaly, BASELINE_SECONDS, Judged, Raised, Resolved, Updated, judge};
use millrace_lake::metrics::{Points, WINDOW_SECONDS, Window, Windows};
use millrace_objects::Objects;
use millrace_stages::{DEFAULT_QUIET, counts_of, hours, hours_for};
use serde_json::{Value, json};

/// Seconds in an hour.
const HOUR: i64 = 3_600;

/// A part of a lake.
#[derive(Debug)]
pub(super) struct Summary {
    /// From its first second to that after its last (Unix).
    pub(super) time: Range<i64>,
    /// By their rows, the most first.
    pub(super) services: Vec<Service>,
    pub(super) anomalies: Vec<Anomaly>,
    pub(super) outages: Vec<Outage>,
}

/// A service in it.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) all: Window,
    /// By their first seconds.
    pub(super) windows: BTreeMap<i64, Window>,
}

/// What an alert would tell.
#[derive(Debug)]
pub(super) struct Outage {
    pub(super) raised: Raised,
    /// The end of its last unusual window, where it is over.
    pub(super) resolved_at: Option<Timestamp>,
}

impl Outage {
    fn is_within(&self, time: &Range<i64>) -> bool {
        let begins_before_end = self.raised.anomaly.window_start.as_second() < time.end;
        begins_before_end && self.resolved_at.is_none_or(|end| end.as_second() > time.start)
    }

    /// What tells it.
    pub(super) fn alert(&self) -> AlertEvent {
        AlertEvent::Raised(self.raised.clone())
    }

    fn services(&self) -> impl Iterator<Item = &str> {
        let Raised { anomaly, also, .. } = &self.raised;
        std::iter::once(anomaly).chain(also).map(|anomaly| anomaly.service.as_str())
    }
}

impl Summary {
    /// Reads the last part of a lake before `now`; none where it has no rows (of this service).
    pub(super) async fn read(
        objects: &Objects,
        last: Duration,
        service: Option<&str>,
        now: Timestamp,
    ) -> anyhow::Result<Option<Self>> {
        // Rows of a wrong clock may lie in the future: they are not the latest.
        let next_hour = now.as_second().div_euclid(HOUR) + 1;
        let known: BTreeSet<i64> = hours(objects).await?.into_iter().filter(|hour| *hour <= next_hour).collect();
        let Some(&latest) = known.last() else { return Ok(None) };
        let length = i64::try_from(last.as_secs()).unwrap_or(i64::MAX).max(WINDOW_SECONDS);
        let until = (latest + 1) * HOUR;
        let needed = hours_for(&judged(until.saturating_sub(length).saturating_sub(HOUR).max(0)..until));
        let windows = counts_of(objects, known.into_iter().filter(|hour| needed.contains(hour))).await?;
        Ok(Self::of(windows, length, service, now.as_second()))
    }

    fn of(mut windows: Windows, length: i64, service: Option<&str>, now: i64) -> Option<Self> {
        windows.0.retain(|(start, _), _| *start <= now);
        let is_shown = |name: &str| service.is_none_or(|service| service == name);
        windows.0.keys().find(|(_, name)| is_shown(name))?;
        let until = windows.0.keys().map(|(start, _)| *start).max()? + WINDOW_SECONDS;
        let first = windows.0.keys().map(|(start, _)| *start).min()?;
        let time = until.saturating_sub(length).max(first) / WINDOW_SECONDS * WINDOW_SECONDS..until;
        let points = Points::from(&windows);
        // What began before may last.
        let from = (time.start - BASELINE_SECONDS).max(first);
        let mut anomalies = judge(&points, &judged(from..until));
        for anomaly in &mut anomalies {
            anomaly.fill_in_rows(&windows);
        }
        let mut outages = outages(&anomalies, &points, &(from..until));
        outages.retain(|outage| outage.is_within(&time) && outage.services().any(is_shown));
        anomalies.retain(|anomaly| time.contains(&anomaly.window_start.as_second()) && is_shown(&anomaly.service));
        let mut services: BTreeMap<String, Service> = BTreeMap::new();
        for ((start, name), window) in windows.0 {
            if time.contains(&start) && is_shown(&name) {
                let new = || Service { name: name.clone(), all: Window::default(), windows: BTreeMap::new() };
                let service = services.entry(name.clone()).or_insert_with(new);
                service.all.merge(&window);
                service.windows.insert(start, window);
            }
        }
        let mut services: Vec<Service> = services.into_values().collect();
        services.sort_by_key(|service| std::cmp::Reverse(service.all.count));
        Some(Self { time, services, anomalies, outages })
    }

    /// The windows of a service, so many together, and where each begins.
    pub(super) fn buckets(&self, service: &Service, most: i64) -> Vec<(i64, Window)> {
        let minutes = (self.time.end - self.time.start) / WINDOW_SECONDS;
        let width = minutes.div_euclid(most.max(1)) + i64::from(minutes % most.max(1) > 0);
        let width = width.max(1) * WINDOW_SECONDS;
        let count = (self.time.end - self.time.start + width - 1) / width;
        let bucket = |number| {
            let start = self.time.start + number * width;
            let mut window = Window::default();
            service.windows.range(start..start + width).for_each(|(_, other)| window.merge(other));
            (start, window)
        };
        (0..count).map(bucket).collect()
    }

    pub(super) fn to_json(&self, lake: &str) -> Value {
        let window = |window: &Window| {
            json!({
                "count": window.count, "errors": window.errors, "error_rate": window.error_rate(),
                "latency_ms": window.latencies.summary(),
            })
        };
        let service = |service: &Service| {
            let windows: Vec<Value> = service
                .windows
                .iter()
                .map(|(start, counted)| {
                    let mut value = window(counted);
                    value["window_start"] = json!(time(*start));
                    value
                })
                .collect();
            let mut value = window(&service.all);
            value["service"] = json!(service.name);
            value["windows"] = json!(windows);
            value
        };
        let outage = |outage: &Outage| {
            let mut value = json!(outage.raised);
            value["resolved_at"] = json!(outage.resolved_at);
            value
        };
        json!({
            "lake": lake, "from": time(self.time.start), "until": time(self.time.end), "window_seconds": WINDOW_SECONDS,
            "services": self.services.iter().map(service).collect::<Vec<_>>(),
            "anomalies": self.anomalies,
            "outages": self.outages.iter().map(outage).collect::<Vec<_>>(),
        })
    }
}

/// A time of Unix seconds.
pub(super) fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or_default()
}

/// These windows, judged where all rows have come.
fn judged(time: Range<i64>) -> Judged {
    Judged { since: time.start - BASELINE_SECONDS, from: time.start, until: time.end, absent_until: time.end }
}

/// What alerts would have told by a look after each minute.
fn outages(anomalies: &[Anomaly], points: &Points, time: &Range<i64>) -> Vec<Outage> {
    let mut outages: Vec<Outage> = Vec::new();
    let mut alerts = Alerts::default();
    let quiet = i64::try_from(DEFAULT_QUIET.as_secs()).unwrap_or(i64::MAX);
    let start = |anomaly: &Anomaly| anomaly.window_start.as_second();
    for until in (time.start..=time.end).step_by(60).skip(1) {
        let from = anomalies.partition_point(|anomaly| start(anomaly) < until - HOUR);
        let to = anomalies.partition_point(|anomaly| start(anomaly) < until);
        let seen = anomalies.get(from..to).unwrap_or_default();
        for event in alerts.update(seen, points, &judged(until - HOUR..until), quiet) {
            match event {
                AlertEvent::Raised(raised) => outages.push(Outage { raised, resolved_at: None }),
                AlertEvent::Updated(Updated { alert_id, joined, .. }) => {
                    if let Some(outage) = outages.iter_mut().find(|outage| outage.raised.alert_id == alert_id) {
                        outage.resolved_at = None;
                        outage.raised.also.extend(joined);
                    }
                }
                AlertEvent::Resolved(Resolved { alert_id, resolved_at, .. }) => {
                    if let Some(outage) = outages.iter_mut().find(|outage| outage.raised.alert_id == alert_id) {
                        outage.resolved_at = Some(resolved_at);
                    }
                }
            }
        }
    }
    outages
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// 10:00 on 31 January 2026.
    const TEN: i64 = 1_769_853_600;

    /// Two hours of two services, one of which fails from 11:30 for five minutes.
    pub(in super::super) fn summary(length: i64) -> Summary {
        let mut windows = Windows::default();
        for minute in 0..120 {
            for (service, rows) in [("pay", 100), ("shop <1>", 200)] {
                let is_out = service == "pay" && (90..95).contains(&minute);
                let mut window = Window { count: rows, errors: if is_out { 60 } else { 1 }, ..Window::default() };
                window.latencies.extend((1..=20).map(|latency| f64::from(latency) * if is_out { 100.0 } else { 2.0 }));
                windows.0.insert((TEN + minute * 60, service.to_owned()), window);
            }
        }
        Summary::of(windows, length, None, TEN + 86_400).expect("there are rows")
    }

    #[test]
    fn a_summary_has_services_by_their_rows_and_what_is_unusual() {
        let json = summary(86_400).to_json("lake");
        assert_eq!((&json["from"], &json["until"]), (&json!("2026-01-31T10:00:00Z"), &json!("2026-01-31T12:00:00Z")));
        let services = json["services"].as_array().unwrap();
        let names: Vec<&str> = services.iter().map(|service| service["service"].as_str().unwrap()).collect();
        assert_eq!(names, ["shop <1>", "pay"]);
        assert_eq!((&services[1]["count"], &services[1]["errors"]), (&json!(12_000), &json!(115 + 300)));
        assert_eq!(services[1]["windows"].as_array().unwrap().len(), 120);
        assert_eq!(json["anomalies"].as_array().unwrap().len(), 10, "error rate and latency");
        let [outage] = &json["outages"].as_array().unwrap()[..] else { panic!("one outage") };
        assert_eq!((&outage["service"], &outage["signal"]), (&json!("pay"), &json!("error_rate")));
        assert_eq!(outage["resolved_at"], "2026-01-31T11:35:00Z");
    }

    #[test]
    fn the_last_part_is_judged_by_what_was_before_it() {
        let summary = summary(1_800);
        assert_eq!(summary.time, TEN + 90 * 60..TEN + 120 * 60);
        assert_eq!(summary.outages.len(), 1);
        assert_eq!(summary.services[1].windows.len(), 30);
        let buckets = summary.buckets(&summary.services[1], 7);
        assert_eq!(buckets.len(), 6);
        assert_eq!(buckets.iter().map(|(_, window)| window.count).sum::<u64>(), 3_000);
    }
}
