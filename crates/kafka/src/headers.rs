//! `CloudEvents` envelopes as record headers.

use millrace_domain::Envelope;
use rdkafka::message::{Header, OwnedHeaders};

/// The headers of a record that carries an event.
pub fn from_envelope(envelope: &Envelope<'_>) -> OwnedHeaders {
    append(OwnedHeaders::new_with_capacity(8 + envelope.attributes.len()), envelope.headers())
}

/// `headers` with more of them at the end.
pub fn append<'a, V: AsRef<[u8]>>(headers: OwnedHeaders, more: impl IntoIterator<Item = (&'a str, V)>) -> OwnedHeaders {
    more.into_iter().fold(headers, |headers, (key, value)| headers.insert(Header { key, value: Some(value.as_ref()) }))
}
