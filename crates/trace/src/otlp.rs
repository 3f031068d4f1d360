//! The exporter: OpenTelemetry's SDK, with OTLP over HTTP.

use std::sync::OnceLock;
use std::time::Duration;

use millrace_domain::traceparent::TraceParent;
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanId, SpanKind as OtelKind, Status, TraceContextExt as _, TraceFlags,
    TraceId, TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span as SdkSpan};

use crate::{ENDPOINT, Export, SpanKind, TraceError};

const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";

/// How long a stop waits for the collector: a process has 30 s to stop, and its drain may take 28 s.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

static EXPORTER: OnceLock<(SdkTracerProvider, SdkTracer)> = OnceLock::new();

pub(crate) fn install(service: &str) -> Result<Export, TraceError> {
    let wrong = |variable, problem: String| TraceError { variable, problem };
    match std::env::var(PROTOCOL).as_deref() {
        Err(_) | Ok("" | "http/protobuf") => {}
        Ok(other) => return Err(wrong(PROTOCOL, format!("{other:?}: must be http/protobuf"))),
    }
    // TLS to the collector needs a provider; another part of the process may have installed the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::blocking::Client::builder().build().map_err(|error| wrong(ENDPOINT, error.to_string()))?;
    let exporter = SpanExporter::builder().with_http().with_http_client(client).build();
    let exporter = exporter.map_err(|error| wrong(ENDPOINT, error.to_string()))?;
    let is_named = std::env::var_os("OTEL_SERVICE_NAME").is_some_and(|name| !name.is_empty());
    let resource = Resource::builder();
    let resource = if is_named { resource } else { resource.with_service_name(service.to_owned()) };
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
    let tracer = provider.tracer("millrace");
    // A second call keeps the first one's exporter.
    let _ = EXPORTER.set((provider, tracer));
    Ok(Export::Active)
}

pub(crate) fn shutdown() {
    if let Some((provider, _)) = EXPORTER.get() {
        // Where the collector is away its spans are lost, and the exporter logs it.
        let _ = provider.shutdown_with_timeout(SHUTDOWN_TIMEOUT);
    }
}

pub(crate) fn is_active() -> bool {
    EXPORTER.get().is_some()
}

/// A span, recorded or left out by the sampler.
#[derive(Debug)]
pub(crate) struct Recording(Box<SdkSpan>);

impl Recording {
    pub(crate) fn start(kind: SpanKind, parent: Option<TraceParent>, name: impl FnOnce() -> String) -> Option<Self> {
        let (_, tracer) = EXPORTER.get()?;
        // Without a parent the sampler decides.
        if parent.is_some_and(|parent| !parent.is_sampled()) {
            return None;
        }
        let parent = parent.map_or_else(Context::new, |parent| Context::new().with_remote_span_context(of(parent)));
        let span = tracer.build_with_context(SpanBuilder::from_name(name()).with_kind(otel(kind)), &parent);
        // Also where the sampler leaves it out: its context carries that decision on.
        Some(Self(Box::new(span)))
    }

    pub(crate) fn context(&self) -> Option<TraceParent> {
        let context = self.0.span_context();
        let trace_id = u128::from_be_bytes(context.trace_id().to_bytes());
        TraceParent::new(trace_id, u64::from_be_bytes(context.span_id().to_bytes()), context.is_sampled())
    }

    pub(crate) fn set_text(&mut self, name: &'static str, value: &str) {
        self.0.set_attribute(KeyValue::new(name, value.to_owned()));
    }

    pub(crate) fn set_number(&mut self, name: &'static str, value: i64) {
        self.0.set_attribute(KeyValue::new(name, value));
    }

    pub(crate) fn failed(&mut self, reason: &str) {
        self.0.set_status(Status::error(reason.to_owned()));
    }
}

fn of(parent: TraceParent) -> SpanContext {
    let trace_id = TraceId::from_bytes(parent.trace_id().to_be_bytes());
    let span_id = SpanId::from_bytes(parent.parent_id().to_be_bytes());
    SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, true, TraceState::NONE)
}

fn otel(kind: SpanKind) -> OtelKind {
    match kind {
        SpanKind::Server => OtelKind::Server,
        SpanKind::Client => OtelKind::Client,
        SpanKind::Producer => OtelKind::Producer,
        SpanKind::Consumer => OtelKind::Consumer,
    }
}
