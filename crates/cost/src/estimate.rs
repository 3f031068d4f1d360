//! The bill.

/// A part of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// From HTTPS to Kafka's acknowledgement.
    Edge,
    /// The brokers.
    Kafka,
    /// The consumers' instances.
    Consumers,
    /// PostgreSQL.
    Database,
    /// Log records from Kafka to rows in the bucket.
    Lake,
    /// What connects them.
    Network,
    /// Alarms, keys, secrets.
    Operations,
}

impl Stage {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Kafka => "kafka",
            Self::Consumers => "consumers",
            Self::Database => "database",
            Self::Lake => "lake",
            Self::Network => "network",
            Self::Operations => "operations",
        }
    }
}

/// A line of the bill.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The part that it belongs to.
    pub stage: Stage,
    /// What it is.
    pub name: &'static str,
    /// How much of it, a month.
    pub quantity: f64,
    /// The quantity's unit.
    pub unit: &'static str,
    /// What it costs, a month.
    pub dollars: f64,
}

/// A month's bill.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Its lines, by stage.
    pub items: Vec<Item>,
    /// Millions of events, a month.
    pub million_events: f64,
    /// What the installation cannot do for this workload.
    pub warnings: Vec<String>,
}

impl Estimate {
    /// All of it, a month.
    #[must_use]
    pub fn dollars(&self) -> f64 {
        self.items.iter().map(|item| item.dollars).sum()
    }

    /// A part of it, a month.
    #[must_use]
    pub fn of(&self, stage: Stage) -> f64 {
        self.items.iter().filter(|item| item.stage == stage).map(|item| item.dollars).sum()
    }

    /// So much a month, as dollars a million events; none where there are none.
    #[must_use]
    pub fn per_million(&self, dollars: f64) -> Option<f64> {
        (self.million_events > 0.0).then(|| dollars / self.million_events)
    }
}
