//! Spans of processing: each record's, below the span that wrote it.

use millrace_kafka::Record;
use millrace_trace::{Span, SpanKind};

/// Starts the span of a record that is processed.
pub(crate) fn begin(record: &Record<'_>, group: &str) -> Span {
    if !millrace_trace::is_active() {
        return Span::none();
    }
    let mut span = Span::start(SpanKind::Consumer, record.trace(), || format!("process {}", record.topic()));
    span.set_text("messaging.system", "kafka");
    span.set_text("messaging.destination.name", record.topic());
    span.set_text("messaging.destination.partition.id", &record.partition().to_string());
    span.set_number("messaging.kafka.offset", record.offset());
    span.set_text("messaging.consumer.group.name", group);
    span.set_text("messaging.message.id", &record.id());
    span
}
