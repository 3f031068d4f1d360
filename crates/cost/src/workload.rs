//! What is sent.

/// A workload, the same at each second of the month.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Workload {
    /// Events a second.
    pub events_per_second: f64,
    /// Events in a request.
    pub batch: u32,
    /// Bytes of an event's value.
    pub value_bytes: u32,
    /// What the events are.
    pub kind: Kind,
    /// Days for which Kafka keeps them.
    pub kafka_days: u32,
    /// Days for which the database keeps their rows.
    pub row_days: u32,
    /// Days for which the lake keeps rows of log records.
    pub lake_days: u32,
    /// How long the function takes for a request, in milliseconds.
    pub function_ms: f64,
    /// Whether the function writes metrics to its log (`MILLRACE_METRICS`).
    pub has_function_metrics: bool,
}

/// What an event is, and with that where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// To the event store: a row with its value.
    Event,
    /// To the notifier: the rows of the notification and of its delivery.
    Notification,
    /// To payments, whose payment is a record and a row.
    Order,
    /// To login-insights: no row, and one record for a hundred.
    Login,
    /// A log record, through log-shipper to the lake, whose row is a record again.
    Log,
}

impl Kind {
    /// Records on Kafka for one event, its own included, and how often consumers read one of them.
    pub(crate) fn records(self) -> (f64, f64) {
        match self {
            Self::Event | Self::Notification => (1.0, 1.0),
            // The payment is read by the event store and by the notifier.
            Self::Order => (2.0, 3.0),
            Self::Login => (1.01, 1.01),
            Self::Log => (2.0, 1.0),
        }
    }

    /// Rows in the database for one event, and how many of them hold its value.
    pub(crate) fn rows(self) -> (f64, f64) {
        match self {
            Self::Event => (1.0, 1.0),
            Self::Notification => (2.0, 0.0),
            Self::Order => (1.0, 0.0),
            Self::Login | Self::Log => (0.0, 0.0),
        }
    }
}
