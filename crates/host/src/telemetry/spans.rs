//! Spans, exported by OTLP where a collector is named.

use millrace_trace::{ENDPOINT, Export, TraceError};

use crate::exit::SettingError;

/// Exports the spans of this process from now on, if `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector. To be called
/// outside of an async runtime, with logs installed.
///
/// # Errors
/// [`SettingError`] names the variable that is wrong.
pub fn install(service: &str) -> Result<(), SettingError> {
    let wrong = |TraceError { variable, problem }: TraceError| SettingError::new(variable, problem);
    match millrace_trace::install(service).map_err(wrong)? {
        Export::NoEndpoint => {}
        Export::Active => tracing::info!(service, "exporting spans"),
        Export::NotBuilt => {
            tracing::warn!(
                "{ENDPOINT} or its variant for traces is set, and this build exports no spans; build with `--features otlp`"
            );
        }
    }
    Ok(())
}

pub use millrace_trace::shutdown;
