//! The ids under which an event goes: its own, and that of the payment that its order gets.

use std::collections::BTreeSet;

use millrace_domain::envelope::own_id_and_time;
use millrace_domain::payment::payment_id;
use millrace_domain::{EventId, dead_letter};
use millrace_kafka::Record;

/// Ids.
#[derive(Debug)]
pub(super) struct Ids {
    traced: String,
    payments: BTreeSet<String>,
}

impl Ids {
    /// Those of this event.
    pub(super) fn of(traced: &str) -> Self {
        Self { traced: traced.to_owned(), payments: BTreeSet::from([payment_id(traced).as_str().to_owned()]) }
    }

    /// The id that is traced.
    pub(super) fn traced(&self) -> &str {
        &self.traced
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.traced.as_str()).chain(self.payments.iter().map(String::as_str))
    }

    /// The payment of an order goes under this id.
    pub(super) fn add_payment(&mut self, id: &EventId) {
        self.payments.insert(id.as_str().to_owned());
    }

    /// The id of a record, where it is one of these. A record without one has its position's, also as a dead letter.
    pub(super) fn id_of(&self, record: &Record<'_>) -> Option<String> {
        if let (Some(id), _) = own_id_and_time(record.headers()) {
            return (id == self.traced || self.payments.contains(id)).then(|| id.to_owned());
        }
        let is_position = |topic: &str, partition, offset| {
            self.traced.starts_with(topic) && EventId::from_position(topic, partition, offset).as_str() == self.traced
        };
        let is_traced = is_position(record.topic(), record.partition(), record.offset())
            || dead_letter::sets(record.headers())
                .iter()
                .flatten()
                .any(|letter| is_position(&letter.topic, letter.partition, letter.offset));
        is_traced.then(|| self.traced.clone())
    }

    /// The id, where it is not the one that is traced: for a hop's details.
    pub(super) fn other<'i>(&self, id: &'i str) -> Option<&'i str> {
        (id != self.traced).then_some(id)
    }
}
