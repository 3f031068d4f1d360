//! A record to be produced that owns its data.

use std::borrow::Cow;

use rdkafka::message::OwnedHeaders;

use crate::ffi;
use crate::producer::ProducerRecord;

/// A [`ProducerRecord`] that owns its data.
#[derive(Debug, Clone)]
pub struct OwnedProducerRecord {
    /// The topic.
    pub topic: Cow<'static, str>,
    /// The key; `None` is a null key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// The headers.
    pub headers: OwnedHeaders,
}

impl OwnedProducerRecord {
    /// Borrows it for a producer.
    pub fn as_record(&self) -> ProducerRecord<'_> {
        self.with(self.headers.clone())
    }

    /// Borrows it with these headers, [taken](Self::take_headers) from it before.
    pub fn with(&self, headers: OwnedHeaders) -> ProducerRecord<'_> {
        ProducerRecord {
            topic: &self.topic,
            partition: None,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers,
        }
    }

    /// How many bytes its key, value and headers take.
    pub fn size(&self) -> usize {
        let len = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let headers = ffi::headers(self.headers.as_borrowed()).map(|(name, value)| name.len() + len(value));
        len(self.key.as_deref()) + len(self.value.as_deref()) + headers.sum::<usize>()
    }

    /// Takes the headers out, for a record that is produced once: a clone copies them one by one.
    pub fn take_headers(&mut self) -> OwnedHeaders {
        std::mem::replace(&mut self.headers, OwnedHeaders::new_with_capacity(0))
    }
}
