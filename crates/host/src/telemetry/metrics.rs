//! Metrics recorder for the `metrics` crate, rendered for Prometheus.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use ::metrics::{describe_gauge, gauge};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// Bucket bounds of every histogram whose name ends in `_seconds`: from 0.5 ms, a local broker, to 60 s, the longest
/// `Retry-After` of a webhook that is honoured.
const SECONDS: [f64; 16] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Bucket bounds of the sizes of batches, in records or events. A histogram without buckets would be a summary, which
/// cannot be summed over instances.
const BATCH_SIZES: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 1_000.0, 5_000.0];

/// How often samples are drained into their histograms, so that they do not accumulate without a scrape.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

static INSTALLED: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

/// Why metrics cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The recorder's settings are invalid.
    #[error("cannot set up the metrics recorder")]
    Recorder(#[from] BuildError),
    /// The process already has another recorder.
    #[error("another metrics recorder is already installed")]
    Taken,
    /// The upkeep thread cannot be started.
    #[error("cannot start the metrics thread")]
    Thread(#[from] std::io::Error),
}

/// Starts recording this process's metrics; a second call changes nothing.
pub fn install() -> Result<(), MetricsError> {
    let mut installed = installed();
    if installed.is_some() {
        return Ok(());
    }
    let recorder = recorder()?;
    let handle = recorder.handle();
    ::metrics::set_global_recorder(recorder).map_err(|_| MetricsError::Taken)?;
    *installed = Some(handle.clone());
    describe_gauge!("millrace_build_info", "1, with the version of this build as a label");
    gauge!("millrace_build_info", "version" => crate::version()).set(1.0);
    thread::Builder::new().name("metrics".to_owned()).spawn(move || {
        loop {
            thread::sleep(UPKEEP_INTERVAL);
            handle.run_upkeep();
        }
    })?;
    Ok(())
}

/// All metrics in Prometheus's text format, version 0.0.4; empty before [`install`].
pub fn render() -> String {
    let handle = installed().clone();
    handle.map(|handle| handle.render()).unwrap_or_default()
}

fn installed() -> MutexGuard<'static, Option<PrometheusHandle>> {
    INSTALLED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn recorder() -> Result<PrometheusRecorder, BuildError> {
    Ok(PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_batch_records".to_owned()), &BATCH_SIZES)?
        .set_buckets_for_metric(Matcher::Suffix("_batch_events".to_owned()), &BATCH_SIZES)?
        .build_recorder())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_render_as_buckets_and_counters_with_labels() {
        let recorder = recorder().unwrap();
        ::metrics::with_local_recorder(&recorder, || {
            ::metrics::counter!("records_total", "topic" => "orders").increment(3);
            ::metrics::histogram!("wait_seconds").record(0.003);
            ::metrics::histogram!("written_batch_records").record(7.0);
        });

        let text = recorder.handle().render();

        for line in [
            "# TYPE records_total counter",
            r#"records_total{topic="orders"} 3"#,
            "# TYPE wait_seconds histogram",
            r#"wait_seconds_bucket{le="0.0025"} 0"#,
            r#"wait_seconds_bucket{le="0.005"} 1"#,
            "wait_seconds_count 1",
            r#"written_batch_records_bucket{le="5"} 0"#,
            r#"written_batch_records_bucket{le="10"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
    }

    #[test]
    fn installing_twice_keeps_what_was_recorded() {
        install().unwrap();
        ::metrics::counter!("installed_total").increment(1);
        install().unwrap();
        assert!(render().contains("installed_total 1"), "{}", render());
    }
}
