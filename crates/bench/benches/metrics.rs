//! What the metrics of one request cost in a function, beside writing the same bytes without them.
//!
//! The documents go to standard output, as in Lambda; the results to standard error:
//! `cargo bench -p millrace-bench --bench metrics | cat >documents`.
#![allow(missing_docs)]

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use metrics::{counter, gauge, histogram};
use millrace_host::telemetry::emf;

const REQUESTS: u32 = 200_000;
const RUNS: usize = 5;

/// As long as the documents of one request.
const DOCUMENTS: usize = 620;

fn main() -> anyhow::Result<()> {
    emf::install()?;
    let labels = [("method", "POST"), ("route", "/send-notification"), ("status", "200")];
    let requests = counter!("millrace_http_requests_total", &labels);
    let duration = histogram!("millrace_http_request_duration_seconds", &labels);
    let in_flight = gauge!("millrace_http_requests_in_flight");
    let produced = counter!("millrace_kafka_produced_records_total");
    let produce_duration = histogram!("millrace_kafka_produce_duration_seconds");
    let with_metrics = median(|| {
        in_flight.increment(1);
        let begun = Instant::now();
        produce_duration.record(begun.elapsed());
        produced.increment(1);
        requests.increment(1);
        duration.record(begun.elapsed());
        in_flight.decrement(1);
        emf::flush();
    });
    let bytes = [b'.'; DOCUMENTS];
    let written = median(|| io::stdout().lock().write_all(&bytes).unwrap_or_default());
    eprintln!("metrics of a request, recorded and flushed: {with_metrics:?}");
    eprintln!("writing as many bytes:                      {written:?}");
    Ok(())
}

/// The median of the runs, a request.
fn median(request: impl Fn()) -> Duration {
    let mut runs: Vec<_> = (0..RUNS)
        .map(|_| {
            let begun = Instant::now();
            (0..REQUESTS).for_each(|_| request());
            begun.elapsed() / REQUESTS
        })
        .collect();
    runs.sort();
    runs[RUNS / 2]
}
