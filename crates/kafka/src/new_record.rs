//! A record that was made here and is still to be written.

use std::borrow::Cow;

use rdkafka::message::OwnedHeaders;

use crate::producer::OutgoingRecord;

/// A record that owns what it is made of.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// The topic.
    pub topic: Cow<'static, str>,
    /// The key; `None` is a null key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// The headers.
    pub headers: OwnedHeaders,
}

impl NewRecord {
    /// The record as a producer takes it.
    pub fn as_outgoing(&self) -> OutgoingRecord<'_> {
        self.with(self.headers.clone())
    }

    /// The same with these headers, which were [taken](Self::take_headers) from it before.
    pub(crate) fn with(&self, headers: OwnedHeaders) -> OutgoingRecord<'_> {
        OutgoingRecord {
            topic: &self.topic,
            partition: None,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers,
        }
    }

    /// Takes the headers out, where the record is written once: librdkafka copies them one by one.
    pub(crate) fn take_headers(&mut self) -> OwnedHeaders {
        std::mem::replace(&mut self.headers, OwnedHeaders::new_with_capacity(0))
    }
}
