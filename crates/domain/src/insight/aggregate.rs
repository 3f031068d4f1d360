//! The aggregation of a batch of logins into an insight.

use serde::{Serialize, Serializer};

use super::login::Login;
use super::ranking::Ranking;
use crate::event::Timestamp;

/// Aggregates of a batch of logins. A login without a field is not in that field's counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Insight<'a> {
    /// Identifies the insight in the whole system.
    pub id: &'a str,
    /// Number of logins.
    pub batch_size: usize,
    /// Time of the earliest login.
    #[serde(serialize_with = "rfc_3339")]
    pub start_time: Timestamp,
    /// Time of the latest login.
    #[serde(serialize_with = "rfc_3339")]
    pub end_time: Timestamp,
    /// All device types, the most frequent first.
    pub device_type_aggregation: Ranking<'a>,
    /// The ten most frequent locales.
    pub top_10_locations: Ranking<'a>,
    /// The five least frequent locales, the least frequent first.
    pub bottom_5_locations: Ranking<'a>,
    /// The five users with the most logins.
    pub top_5_users: Ranking<'a>,
}

impl<'a> Insight<'a> {
    /// The insight `id` of a batch; `None` where the batch is empty.
    pub fn of(id: &'a str, logins: &[&'a Login]) -> Option<Self> {
        let times = || logins.iter().map(|login| login.time);
        let locations = Ranking::of(logins.iter().filter_map(|login| login.locale.as_deref()));
        Some(Self {
            id,
            batch_size: logins.len(),
            start_time: times().min()?,
            end_time: times().max()?,
            device_type_aggregation: Ranking::of(logins.iter().filter_map(|login| login.device.as_deref())),
            top_10_locations: locations.top(10),
            bottom_5_locations: locations.bottom(5),
            top_5_users: Ranking::of(logins.iter().map(|login| &*login.user)).top(5),
        })
    }

    /// The insight as JSON: the value of its record, and the content of its file.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers are JSON")
    }
}

fn rfc_3339<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}
