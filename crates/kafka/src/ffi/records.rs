//! Delivery reports and headers.
#![allow(unsafe_code)]

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::ptr;

use rdkafka::bindings;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers, OwnedHeaders};
use rdkafka::types::RDKafkaHeaders;

/// librdkafka's status of a message whose delivery failed (`rd_kafka_message_status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// It was never sent: no broker has it.
    NotPersisted,
    /// It was sent, and no answer came: a broker may have it.
    PossiblyPersisted,
    /// A broker has it.
    Persisted,
}

/// Whether a message of a delivery report may be on a broker.
pub(crate) fn persistence(message: &BorrowedMessage<'_>) -> Persistence {
    use bindings::rd_kafka_msg_status_t::{
        RD_KAFKA_MSG_STATUS_NOT_PERSISTED, RD_KAFKA_MSG_STATUS_PERSISTED, RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED,
    };
    // SAFETY: the pointer is valid for as long as `message` is borrowed, and the call only reads.
    match unsafe { bindings::rd_kafka_message_status(message.ptr()) } {
        RD_KAFKA_MSG_STATUS_NOT_PERSISTED => Persistence::NotPersisted,
        RD_KAFKA_MSG_STATUS_PERSISTED => Persistence::Persisted,
        RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED => Persistence::PossiblyPersisted,
    }
}

/// A record's headers in order, without those whose name is not UTF-8: `rdkafka` panics on one, and any producer can
/// write one.
pub(crate) fn headers(headers: &BorrowedHeaders) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
    let native = ptr::from_ref(headers).cast::<RDKafkaHeaders>();
    (0..headers.count()).filter_map(move |index| {
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: `BorrowedHeaders` is librdkafka's header list seen through a reference. The pointers it hands out
        // live as long as the list, which is borrowed for as long as the iterator and what it yields.
        unsafe {
            let code = bindings::rd_kafka_header_get_all(native, index, &raw mut name, &raw mut value, &raw mut size);
            if code != bindings::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return None;
            }
            let name = CStr::from_ptr(name).to_str().ok()?;
            let value = (!value.is_null()).then(|| std::slice::from_raw_parts(value.cast::<u8>(), size));
            Some((name, value))
        }
    })
}

/// Removes every header whose name begins with `prefix`. The others stay byte for byte and in order, those whose name
/// is not UTF-8 included.
pub(crate) fn remove_headers(own: OwnedHeaders, prefix: &str) -> OwnedHeaders {
    let names: BTreeSet<CString> = headers(own.as_borrowed())
        .filter(|(name, _)| name.starts_with(prefix))
        .filter_map(|(name, _)| CString::new(name).ok())
        .collect();
    let native = ptr::from_ref(own.as_borrowed()).cast::<RDKafkaHeaders>().cast_mut();
    for name in &names {
        // SAFETY: `own` is this function's, so the list has no other reader while it changes, and `name` ends with a
        // nul. The only possible error: there is no such header.
        unsafe { bindings::rd_kafka_header_remove(native, name.as_ptr()) };
    }
    own
}
