//! Spans of an event's way: the request, the record, its processing, each delivery.
//!
//! A span's context goes on as W3C `traceparent`, in HTTP headers and in records' headers. Spans are exported by OTLP
//! where the build has the feature `otlp` and the process an endpoint ([`install`]); everywhere else a [`Span`] is
//! empty and costs nothing. Names and attributes are OpenTelemetry's semantic conventions for HTTP and messaging.

#[cfg(not(feature = "otlp"))]
mod disabled;
#[cfg(feature = "otlp")]
mod otlp;

use millrace_domain::traceparent::TraceParent;

#[cfg(not(feature = "otlp"))]
use self::disabled as exporter;
#[cfg(feature = "otlp")]
use self::otlp as exporter;

/// The variable that names the collector: `http://localhost:4318`.
pub const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// The variable that names it for spans alone, with the path.
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

/// Why spans cannot be exported.
#[derive(Debug, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct TraceError {
    /// The variable that is wrong.
    pub variable: &'static str,
    /// What is wrong.
    pub problem: String,
}

/// Whether spans are exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    /// To the collector that [`ENDPOINT`] names.
    Active,
    /// No collector is named.
    NoEndpoint,
    /// A collector is named, and this build has no exporter.
    NotBuilt,
}

/// Exports this process's spans from now on, if [`ENDPOINT`] names a collector, or its variant for traces. The other variables of OpenTelemetry's
/// SDK apply: `OTEL_SERVICE_NAME` (else `service`), `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`,
/// `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_BSP_*`. To be called outside of an async runtime.
///
/// # Errors
/// [`TraceError`] names the variable that is wrong.
pub fn install(service: &str) -> Result<Export, TraceError> {
    let is_set = |variable| std::env::var_os(variable).is_some_and(|endpoint| !endpoint.is_empty());
    if !is_set(ENDPOINT) && !is_set(TRACES_ENDPOINT) {
        return Ok(Export::NoEndpoint);
    }
    exporter::install(service)
}

/// Exports what is left, for a second at most.
pub fn shutdown() {
    exporter::shutdown();
}

/// Whether spans may be recorded: where not, what a span needs need not be looked up.
pub fn is_active() -> bool {
    exporter::is_active()
}

/// What a span stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// A request that was received.
    Server,
    /// A request to another service.
    Client,
    /// A record that was written.
    Producer,
    /// A record that was processed.
    Consumer,
}

/// A span, from its start until it is dropped. Empty where it is not recorded: spans are not exported, or the trace is
/// not sampled.
#[derive(Debug)]
pub struct Span(Option<exporter::Recording>);

impl Span {
    /// Starts a span below `parent`, or a trace where there is none.
    pub fn start(kind: SpanKind, parent: Option<TraceParent>, name: impl FnOnce() -> String) -> Self {
        Self(exporter::Recording::start(kind, parent, name))
    }

    /// A span that is not recorded.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Its context, as the parent of what follows, with the sampler's decision; `None` where no spans are exported, or the
    /// parent's decision stands.
    pub fn context(&self) -> Option<TraceParent> {
        self.0.as_ref()?.context()
    }

    /// Sets an attribute.
    pub fn set_text(&mut self, name: &'static str, value: &str) {
        if let Some(recording) = &mut self.0 {
            recording.set_text(name, value);
        }
    }

    /// Sets an attribute.
    pub fn set_number(&mut self, name: &'static str, value: i64) {
        if let Some(recording) = &mut self.0 {
            recording.set_number(name, value);
        }
    }

    /// Marks that what it stands for failed.
    pub fn failed(&mut self, reason: &str) {
        if let Some(recording) = &mut self.0 {
            recording.failed(reason);
        }
    }
}
