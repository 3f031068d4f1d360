//! Metrics as CloudWatch's Embedded Metric Format: JSON on standard output, from which CloudWatch Logs makes metrics.
//!
//! For functions, which nobody can scrape. A document holds the metrics of one set of labels, its dimensions; only what
//! changed since the last flush is written. Source of the format and its limits:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use ::metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Label, Metadata, Recorder, SharedString,
    Unit,
};

use super::metrics::MetricsError;

/// CloudWatch takes at most this many metrics a document, and values a metric.
const LIMIT: usize = 100;

const NAMESPACE: &str = "Millrace";

static INSTALLED: OnceLock<Emf> = OnceLock::new();

/// Starts recording this process's metrics for [`flush`].
///
/// # Errors
/// [`MetricsError::Taken`] where the process has another recorder.
pub fn install() -> Result<(), MetricsError> {
    let emf = INSTALLED.get_or_init(Emf::default).clone();
    ::metrics::set_global_recorder(emf).map_err(|_| MetricsError::Taken)
}

/// Writes what changed since the last call to standard output; nothing before [`install`].
pub fn flush() {
    let Some(emf) = INSTALLED.get() else { return };
    let documents = emf.documents(SystemTime::now());
    // Metrics that cannot be written are lost: an answer does not wait for a log.
    if let Err(error) = io::stdout().lock().write_all(&documents) {
        tracing::debug!(%error, "metrics not written");
    }
}

/// The recorder. Clones share what is recorded.
#[derive(Debug, Clone, Default)]
struct Emf(Arc<Mutex<Registry>>);

#[derive(Debug, Default)]
struct Registry {
    /// Where each metric is: its group, and its place there.
    places: HashMap<(Kind, Key), (usize, usize)>,
    groups: Vec<Group>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// The metrics of one set of labels.
#[derive(Debug)]
struct Group {
    labels: Vec<Label>,
    /// `[["method","route"]]`.
    dimensions: String,
    /// `"method":"GET","route":"/health",`.
    members: String,
    metrics: Vec<Metric>,
    /// The head of the last document, and of which metrics it was: it rarely differs from one request to the next.
    head: (Vec<usize>, String),
}

#[derive(Debug)]
struct Metric {
    /// `"http_requests"`.
    name: String,
    unit: &'static str,
    /// What a value is multiplied with: seconds become milliseconds.
    factor: f64,
    cell: Cell,
}

#[derive(Debug, Clone)]
enum Cell {
    Counter(Arc<CounterCell>),
    Gauge(Arc<GaugeCell>),
    Histogram(Arc<HistogramCell>),
}

/// Counts since the last flush.
#[derive(Debug, Default)]
struct CounterCell(AtomicU64);

/// The bits of the value, and of the one last written.
#[derive(Debug, Default)]
struct GaugeCell {
    value: AtomicU64,
    written: AtomicU64,
}

/// Values since the last flush.
#[derive(Debug, Default)]
struct HistogramCell(Mutex<Vec<f64>>);

/// What a metric has since the last flush, without an allocation for what most requests have.
#[derive(Debug)]
enum Taken {
    Nothing,
    One(f64),
    Many(Vec<f64>),
}

impl Taken {
    fn as_slice(&self) -> &[f64] {
        match self {
            Self::Nothing => &[],
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

impl CounterFn for CounterCell {
    fn increment(&self, value: u64) {
        self.0.fetch_add(value, Ordering::Relaxed);
    }

    fn absolute(&self, value: u64) {
        self.0.fetch_max(value, Ordering::Relaxed);
    }
}

impl GaugeCell {
    fn update(&self, next: impl Fn(f64) -> f64) {
        let next = |bits| Some(next(f64::from_bits(bits)).to_bits());
        // The update is never refused.
        let _ = self.value.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }
}

impl GaugeFn for GaugeCell {
    fn increment(&self, value: f64) {
        self.update(|before| before + value);
    }

    fn decrement(&self, value: f64) {
        self.update(|before| before - value);
    }

    fn set(&self, value: f64) {
        self.update(|before| if value.is_finite() { value } else { before });
    }
}

impl HistogramFn for HistogramCell {
    fn record(&self, value: f64) {
        // JSON has no NaN and no infinity.
        if value.is_finite() {
            lock(&self.0).push(value);
        }
    }
}

impl Cell {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Counter => Self::Counter(Arc::default()),
            Kind::Gauge => Self::Gauge(Arc::default()),
            Kind::Histogram => Self::Histogram(Arc::default()),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "a count between two flushes is far below 2^52")]
    fn take(&self) -> Taken {
        match self {
            Self::Counter(cell) => match cell.0.swap(0, Ordering::Relaxed) {
                0 => Taken::Nothing,
                count => Taken::One(count as f64),
            },
            Self::Gauge(cell) => {
                let value = cell.value.load(Ordering::Relaxed);
                let is_changed = cell.written.swap(value, Ordering::Relaxed) != value;
                if is_changed { Taken::One(f64::from_bits(value)) } else { Taken::Nothing }
            }
            Self::Histogram(cell) => {
                let mut values = lock(&cell.0);
                match values.len() {
                    0 | 1 => values.pop().map_or(Taken::Nothing, Taken::One),
                    _ => Taken::Many(std::mem::take(&mut *values)),
                }
            }
        }
    }
}

impl Emf {
    fn cell(&self, kind: Kind, key: &Key) -> Cell {
        let registry = &mut *lock(&self.0);
        let place = registry.places.get(&(kind, key.clone())).copied().unwrap_or_else(|| {
            let place = registry.add(kind, key);
            registry.places.insert((kind, key.clone()), place);
            place
        });
        registry.groups[place.0].metrics[place.1].cell.clone()
    }

    /// One line of JSON for each group of which something changed, or several where it exceeds the limits.
    fn documents(&self, now: SystemTime) -> Vec<u8> {
        let millis = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let mut out = Vec::with_capacity(1_024);
        for group in &mut lock(&self.0).groups {
            group.write(millis, &mut out);
        }
        out
    }
}

impl Registry {
    fn add(&mut self, kind: Kind, key: &Key) -> (usize, usize) {
        let labels: Vec<Label> = key.labels().cloned().collect();
        let group = self.groups.iter().position(|group| group.labels == labels).unwrap_or_else(|| {
            self.groups.push(Group::new(labels));
            self.groups.len() - 1
        });
        let metrics = &mut self.groups[group].metrics;
        metrics.push(Metric::new(kind, key.name()));
        (group, metrics.len() - 1)
    }
}

impl Group {
    fn new(labels: Vec<Label>) -> Self {
        let names: Vec<String> = labels.iter().map(|label| quoted(label.key())).collect();
        let member = |label: &Label| format!("{}:{},", quoted(label.key()), quoted(label.value()));
        let members = labels.iter().map(member).collect();
        let dimensions = format!("[[{}]]", names.join(","));
        Self { dimensions, members, labels, metrics: Vec::new(), head: (Vec::new(), String::new()) }
    }

    fn write(&mut self, millis: u128, out: &mut Vec<u8>) {
        let taken: Vec<Taken> = self.metrics.iter().map(|metric| metric.cell.take()).collect();
        let mut changed: Vec<(usize, &[f64])> = taken.iter().map(Taken::as_slice).enumerate().collect();
        loop {
            changed.retain(|(_, values)| !values.is_empty());
            if changed.is_empty() {
                return;
            }
            let first = |values: &[f64]| values.len().min(LIMIT);
            let document: Vec<_> =
                changed.iter().take(LIMIT).map(|&(metric, values)| (metric, &values[..first(values)])).collect();
            self.write_document(&document, millis, out);
            // What is left of these, and the others.
            for (_, values) in changed.iter_mut().take(LIMIT) {
                *values = &values[first(values)..];
            }
        }
    }

    fn write_document(&mut self, metrics: &[(usize, &[f64])], millis: u128, out: &mut Vec<u8>) {
        if !self.head.0.iter().eq(metrics.iter().map(|(metric, _)| metric)) {
            self.head = (metrics.iter().map(|(metric, _)| *metric).collect(), self.head_of(metrics));
        }
        // Writing to memory cannot fail.
        let _ = write!(out, r#"{{"_aws":{{"Timestamp":{millis}"#);
        out.extend_from_slice(self.head.1.as_bytes());
        for (index, &(metric, values)) in metrics.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.metrics[metric].write(values, out);
        }
        out.extend_from_slice(b"}\n");
    }

    /// What stands between the time of a document and the values of these metrics.
    fn head_of(&self, metrics: &[(usize, &[f64])]) -> String {
        let Self { dimensions, members, .. } = self;
        let definition = |&(metric, _): &(usize, _)| {
            let Metric { name, unit, .. } = &self.metrics[metric];
            format!(r#"{{"Name":{name},"Unit":"{unit}"}}"#)
        };
        let definitions: Vec<String> = metrics.iter().map(definition).collect();
        let definitions = definitions.join(",");
        format!(
            r#","CloudWatchMetrics":[{{"Namespace":"{NAMESPACE}","Dimensions":{dimensions},"Metrics":[{definitions}]}}]}},{members}"#
        )
    }
}

impl Metric {
    /// Named as in Prometheus, without the prefix that the namespace is, and without the unit, which CloudWatch keeps
    /// apart.
    fn new(kind: Kind, name: &str) -> Self {
        let name = name.strip_prefix("millrace_").unwrap_or(name);
        let (name, unit, factor) = if let Some(name) = name.strip_suffix("_seconds") {
            (name, "Milliseconds", 1e3)
        } else if name.ends_with("_bytes") {
            // Of records and bytes that are counted side by side, only the unit tells which is which.
            (name, "Bytes", 1.0)
        } else {
            (name.strip_suffix("_total").unwrap_or(name), "Count", 1.0)
        };
        Self { name: quoted(name), unit, factor, cell: Cell::new(kind) }
    }

    fn write(&self, values: &[f64], out: &mut Vec<u8>) {
        out.extend_from_slice(self.name.as_bytes());
        out.push(b':');
        if let [single] = values {
            self.write_value(*single, out);
            return;
        }
        out.extend_from_slice(b"{\"Values\":[");
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.write_value(*value, out);
        }
        out.extend_from_slice(b"],\"Counts\":[1");
        out.extend(values.iter().skip(1).flat_map(|_| b",1"));
        out.extend_from_slice(b"]}");
    }

    /// Writes a value with three decimal places at most: microseconds, where it is one of milliseconds.
    fn write_value(&self, value: f64, out: &mut Vec<u8>) {
        // Five times as fast as the standard library's way. Writing to memory cannot fail, and the value is finite.
        let _ = serde_json::to_writer(out, &((value * self.factor * 1e3).round() / 1e3));
    }
}

/// A JSON string. Names and labels are of fixed sets, and short.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is a single push or take, so a poisoned lock holds a consistent state.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder for Emf {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let Cell::Counter(cell) = self.cell(Kind::Counter, key) else { return Counter::noop() };
        Counter::from_arc(cell)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let Cell::Gauge(cell) = self.cell(Kind::Gauge, key) else { return Gauge::noop() };
        Gauge::from_arc(cell)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let Cell::Histogram(cell) = self.cell(Kind::Histogram, key) else { return Histogram::noop() };
        Histogram::from_arc(cell)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ::metrics::{counter, gauge, histogram, with_local_recorder};
    use serde_json::{Value, json};

    use super::*;

    fn documents(emf: &Emf) -> Vec<Value> {
        let text = emf.documents(UNIX_EPOCH + Duration::from_millis(1_795_000_000_123));
        let text = String::from_utf8(text).unwrap();
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    #[test]
    fn a_document_has_what_changed_of_one_set_of_labels() {
        let emf = Emf::default();
        with_local_recorder(&emf, || {
            counter!("millrace_http_requests_total", "route" => "/orders", "status" => "202").increment(2);
            let duration =
                histogram!("millrace_http_request_duration_seconds", "route" => "/orders", "status" => "202");
            duration.record(0.001_234_567);
            duration.record(f64::NAN);
            duration.record(0.5);
            gauge!("millrace_http_memory_used_bytes").set(1_024.0);
            counter!("millrace_idle_total").increment(0);
        });

        let metric = |name: &str, unit: &str| json!({"Name": name, "Unit": unit});
        let directive = |dimensions: Value, metrics: Value| {
            let directive = json!({"Namespace": "Millrace", "Dimensions": dimensions, "Metrics": metrics});
            json!({"Timestamp": 1_795_000_000_123_i64, "CloudWatchMetrics": [directive]})
        };
        let requests = json!([metric("http_requests", "Count"), metric("http_request_duration", "Milliseconds")]);
        let expected = [
            json!({
                "_aws": directive(json!([["route", "status"]]), requests),
                "route": "/orders",
                "status": "202",
                "http_requests": 2.0,
                "http_request_duration": {"Values": [1.235, 500.0], "Counts": [1, 1]},
            }),
            json!({
                "_aws": directive(json!([[]]), json!([metric("http_memory_used_bytes", "Bytes")])),
                "http_memory_used_bytes": 1024.0,
            }),
        ];
        assert_eq!(documents(&emf), expected);
        assert_eq!(documents(&emf), [] as [Value; 0], "nothing changed since");
    }

    /// CloudWatch drops what exceeds them.
    #[test]
    fn limits_split_a_document_and_lose_nothing() {
        let emf = Emf::default();
        with_local_recorder(&emf, || {
            for number in 0..150 {
                histogram!("millrace_wait_seconds", "route" => "/orders").record(f64::from(number));
            }
            for number in 0..101 {
                counter!(format!("millrace_many_{number}_total"), "route" => "/orders").increment(1);
            }
        });

        let documents = documents(&emf);

        let mut values = Vec::new();
        let mut names = 0;
        for document in &documents {
            let [directive] = document["_aws"]["CloudWatchMetrics"].as_array().unwrap().as_slice() else { panic!() };
            let metrics = directive["Metrics"].as_array().unwrap();
            assert!(metrics.len() <= 100);
            assert_eq!((&directive["Dimensions"], &document["route"]), (&json!([["route"]]), &json!("/orders")));
            for metric in metrics {
                match &document[metric["Name"].as_str().unwrap()] {
                    Value::Number(one) => {
                        assert_eq!(one.as_f64(), Some(1.0));
                        names += 1;
                    }
                    many => {
                        let part = many["Values"].as_array().unwrap();
                        assert!(part.len() <= 100);
                        assert_eq!(many["Counts"], json!(vec![1; part.len()]));
                        values.extend(part.iter().map(|value| value.as_f64().unwrap()));
                    }
                }
            }
        }
        assert_eq!(names, 101);
        assert_eq!(values, (0..150).map(|number| f64::from(number) * 1e3).collect::<Vec<_>>());
    }
}
