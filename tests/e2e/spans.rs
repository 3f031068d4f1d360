//! Spans by OTLP: an event's whole way is one trace.

use std::collections::HashMap;
use std::time::Duration;

use millrace_testkit::wait::eventually;
use millrace_testkit::webhook::WebhookReceiver;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use reqwest::StatusCode;
use serde_json::json;

use crate::http::{client, post, serving};
use crate::program::{Program, free_address};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(30);
const EXIT_TIMEOUT: Duration = Duration::from_secs(30);

/// The spans that a collector has received.
fn spans(collector: &WebhookReceiver) -> Vec<Span> {
    let requests = collector.received_at("/v1/traces").into_iter();
    let requests = requests.map(|request| ExportTraceServiceRequest::decode(request.body).expect("OTLP"));
    let resources = requests.flat_map(|request| request.resource_spans);
    resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
}

fn text<'s>(span: &'s Span, name: &str) -> Option<&'s str> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == name)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        AnyValue::StringValue(text) => Some(text),
        _ => None,
    }
}

/// An id of a trace or a span, by its hexadecimal digits.
fn is(id: &[u8], digits: &str) -> bool {
    let pairs = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16));
    pairs.eq(id.iter().map(|byte| Ok(*byte)))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orders_way_is_one_trace_from_the_caller_to_the_delivery() {
    let collector = WebhookReceiver::start().await.expect("a port");
    let folder = tempfile::tempdir().expect("a folder");
    let (address, data_dir) = (free_address(), folder.path().display().to_string());
    let endpoint = collector.url("");
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "100")];
    let mut dev = Program::start("millrace", &["dev", "--listen", &address, "--data-dir", &data_dir], &variables);
    let http = client();
    serving(&mut dev, &http, &address).await;
    let order = |id: &str, flags: &str| {
        let request = http.post(format!("http://{address}/orders")).header("idempotency-key", id);
        let request = request.header("traceparent", format!("00-{TRACE}-{CALLER}-{flags}"));
        request.header("content-type", "application/json").body(json!({"order_id": id}).to_string())
    };

    // Its caller records nothing, and neither does anybody after it.
    assert_eq!(order("unsampled", "00").send().await.expect("an answer").status(), StatusCode::ACCEPTED);
    assert_eq!(order("sampled", "01").send().await.expect("an answer").status(), StatusCode::ACCEPTED);

    let expected = [
        ("POST /orders", None),
        ("send orders", Some("POST /orders")),
        ("process orders", Some("send orders")),
        ("process payments", Some("process orders")),
        ("deliver console", Some("process payments")),
    ];
    let found = eventually(ARRIVAL_TIMEOUT, "the spans have arrived", async || {
        let spans = spans(&collector);
        // The notifier and the event store each process the payment.
        let is_complete = spans.iter().filter(|span| span.name == "process payments").count() == 2
            && expected.iter().all(|(name, _)| spans.iter().any(|span| span.name == *name));
        is_complete.then_some(spans)
    })
    .await;
    let of_trace: Vec<_> = found.iter().filter(|span| is(&span.trace_id, TRACE)).collect();
    assert_eq!(of_trace.len(), 6, "one order's: {of_trace:?}");
    let names: HashMap<&[u8], &str> = of_trace.iter().map(|span| (&*span.span_id, &*span.name)).collect();
    for (name, parent) in expected {
        for span in of_trace.iter().filter(|span| span.name == name) {
            match parent {
                Some(parent) => assert_eq!(names.get(&*span.parent_span_id), Some(&parent), "{name}"),
                None => assert!(is(&span.parent_span_id, CALLER), "{name}"),
            }
        }
    }
    let sent = of_trace.iter().find(|span| span.name == "send orders").expect("found above");
    assert_eq!(text(sent, "messaging.message.id"), Some("sampled"));
    assert_eq!(text(sent, "messaging.destination.name"), Some("orders"));

    // What was not exported yet is, at a stop.
    assert_eq!(http.get(format!("http://{address}/get_status")).send().await.expect("an answer").status(), 200);
    assert!(dev.terminate(EXIT_TIMEOUT).await.success(), "{}", dev.stderr());
    assert!(spans(&collector).iter().any(|span| span.name == "GET /get_status"), "{}", dev.stderr());
}

/// Otherwise a later part of the way would decide anew, and the trace would have holes.
#[tokio::test(flavor = "multi_thread")]
async fn the_samplers_decision_holds_for_the_whole_way() {
    let collector = WebhookReceiver::start().await.expect("a port");
    let folder = tempfile::tempdir().expect("a folder");
    let (address, data_dir) = (free_address(), folder.path().display().to_string());
    let endpoint = collector.url("");
    let variables =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_TRACES_SAMPLER", "parentbased_always_off")];
    let mut dev = Program::start("millrace", &["dev", "--listen", &address, "--data-dir", &data_dir], &variables);
    let http = client();
    serving(&mut dev, &http, &address).await;
    let url = format!("http://{address}/orders");
    for id in ["one", "two"] {
        assert_eq!(post(&http, &url, id, &json!({"order_id": id})).await, StatusCode::ACCEPTED);
    }
    // The stop processes what was accepted, and exports what there is.
    assert!(dev.terminate(EXIT_TIMEOUT).await.success(), "{}", dev.stderr());
    assert_eq!(spans(&collector), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protocol_that_is_not_built_is_named_at_the_start() {
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    let folder = tempfile::tempdir().expect("a folder");
    let data_dir = folder.path().display().to_string();
    let mut dev =
        Program::start("millrace", &["dev", "--listen", &free_address(), "--data-dir", &data_dir], &variables);
    assert_eq!(dev.ended(EXIT_TIMEOUT).await.code(), Some(2));
    let stderr = dev.stderr();
    assert!(stderr.contains("OTEL_EXPORTER_OTLP_PROTOCOL") && stderr.contains("http/protobuf"), "{stderr}");
}
