//! The topic catalogue: every topic of Millrace, from `topics.json`, which Terraform and shell scripts read as well.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::Deserialize;

/// What the headers of a dead letter may take beside its record, in bytes.
pub const DEAD_LETTER_BYTES: u32 = 64 << 10;

/// The largest `max.message.bytes` that Kafka takes.
const LARGEST_LIMIT: u32 = i32::MAX as u32;

/// The `max.message.bytes` that a dead-letter topic needs where its source topic takes so many bytes.
pub fn dead_letter_limit(source: u32) -> u32 {
    source.saturating_add(DEAD_LETTER_BYTES).min(LARGEST_LIMIT)
}

/// The catalogue file.
const SOURCE: &str = include_str!("../topics.json");

/// A topic and the settings it is created with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// The topic's name.
    pub name: String,
    /// The field that keys its records; `None` where they have no key.
    pub key: Option<String>,
    /// Number of partitions.
    pub partitions: i32,
    /// Kafka's `retention.ms`.
    pub retention_ms: i64,
    /// Kafka's `cleanup.policy`.
    pub cleanup_policy: String,
    /// Kafka's `max.message.bytes`.
    pub max_message_bytes: u32,
    /// Its dead-letter topic; `None` for a topic without a consumer in Millrace.
    pub dead_letter_topic: Option<String>,
}

impl Topic {
    /// The topic configuration, by Kafka's names.
    pub fn config(&self) -> [(&'static str, String); 3] {
        [
            ("retention.ms", self.retention_ms.to_string()),
            ("cleanup.policy", self.cleanup_policy.clone()),
            ("max.message.bytes", self.max_message_bytes.to_string()),
        ]
    }
}

/// The settings that every dead-letter topic is created with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetters {
    /// The suffix to the source topic's name.
    pub suffix: String,
    /// Number of partitions.
    pub partitions: i32,
    /// Kafka's `retention.ms`.
    pub retention_ms: i64,
    /// Kafka's `cleanup.policy`.
    pub cleanup_policy: String,
    /// Kafka's `max.message.bytes`: the largest source record and [`DEAD_LETTER_BYTES`].
    pub max_message_bytes: u32,
}

/// A consumer of Millrace.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consumer {
    /// Its name; its group is `millrace-<name>`.
    pub name: String,
    /// The topics it reads.
    pub reads: Vec<String>,
    /// The topics it writes, without dead-letter topics.
    pub writes: Vec<String>,
    /// Whether an installation may be without it: what it reads waits for nobody then.
    #[serde(default)]
    pub is_optional: bool,
}

impl Consumer {
    /// Its consumer group.
    pub fn group(&self) -> String {
        format!("millrace-{}", self.name)
    }
}

/// All topics and consumers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// The settings of dead-letter topics.
    pub dead_letters: DeadLetters,
    /// The topics that carry events, without their dead-letter topics.
    pub topics: Vec<Topic>,
    /// The consumers.
    pub consumers: Vec<Consumer>,
}

/// Why a text is no catalogue.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// It is not JSON of a catalogue's shape.
    #[error("{0}")]
    Shape(#[from] serde_json::Error),
    /// A value that Kafka or a consumer cannot use.
    #[error("{topic}: {problem}")]
    Value {
        /// The topic, or what else it is about.
        topic: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Catalogue {
    /// Reads a catalogue: JSON of the shape of Millrace's own, `topics.json`.
    ///
    /// # Errors
    /// [`CatalogueError`] says where it is wrong.
    pub fn read(text: &str) -> Result<Self, CatalogueError> {
        let catalogue: Self = serde_json::from_str(text)?;
        catalogue.check()?;
        Ok(catalogue)
    }

    fn check(&self) -> Result<(), CatalogueError> {
        let mut names = BTreeSet::new();
        let problem_of = |topic: &Topic, is_new: bool| {
            let dead_letters = &self.dead_letters;
            let expected = format!("{}{}", topic.name, dead_letters.suffix);
            if !is_new {
                Some("there are two topics of this name".to_owned())
            } else if topic.partitions < 1 {
                Some(format!("partitions must be at least 1, not {}", topic.partitions))
            } else if topic.retention_ms < -1 {
                Some(format!("retention_ms must be milliseconds, or -1 for ever, not {}", topic.retention_ms))
            } else if topic.dead_letter_topic.as_ref().is_some_and(|name| *name != expected) {
                Some(format!("its dead_letter_topic must be {expected}"))
            } else if topic.max_message_bytes > LARGEST_LIMIT {
                Some(format!("max_message_bytes must be at most {LARGEST_LIMIT}, not {}", topic.max_message_bytes))
            } else if dead_letters.max_message_bytes < dead_letter_limit(topic.max_message_bytes)
                && topic.dead_letter_topic.is_some()
            {
                Some(format!("dead_letters.max_message_bytes must be its own and {DEAD_LETTER_BYTES} more"))
            } else {
                None
            }
        };
        for topic in self.all() {
            let is_new = names.insert(topic.name.clone());
            if let Some(problem) = problem_of(&topic, is_new) {
                return Err(CatalogueError::Value { topic: topic.name, problem });
            }
        }
        let used = self.consumers.iter().flat_map(|consumer| consumer.reads.iter().chain(&consumer.writes));
        match used.filter(|name| self.topic(name).is_none()).min() {
            Some(name) => {
                let problem = "a consumer uses it, and it is no topic".to_owned();
                Err(CatalogueError::Value { topic: name.clone(), problem })
            }
            None => Ok(()),
        }
    }

    /// The topic of this name, without dead-letter topics.
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.name == name)
    }

    /// Every topic to create: the catalogue's own and their dead-letter topics.
    pub fn all(&self) -> Vec<Topic> {
        let dead_letters = self
            .topics
            .iter()
            .filter_map(|topic| topic.dead_letter_topic.as_deref())
            .map(|name| self.dead_letter(name));
        self.topics.iter().cloned().chain(dead_letters).collect()
    }

    /// The source topic of a dead-letter topic.
    pub fn source_of(&self, name: &str) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.dead_letter_topic.as_deref() == Some(name))
    }

    fn dead_letter(&self, name: &str) -> Topic {
        Topic {
            name: name.to_owned(),
            key: None,
            partitions: self.dead_letters.partitions,
            retention_ms: self.dead_letters.retention_ms,
            cleanup_policy: self.dead_letters.cleanup_policy.clone(),
            max_message_bytes: self.dead_letters.max_message_bytes,
            dead_letter_topic: None,
        }
    }
}

/// The catalogue, parsed once.
pub fn catalogue() -> &'static Catalogue {
    static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
        // The file is compiled in and tests parse it: this cannot fail at run time.
        Catalogue::read(SOURCE).expect("topics.json is a valid catalogue")
    });
    &CATALOGUE
}

/// The name of a topic's dead-letter topic, also of a topic that is not in the catalogue.
pub fn dead_letter_topic(topic: &str) -> String {
    format!("{topic}{}", catalogue().dead_letters.suffix)
}

/// Whether a topic has the name of a dead-letter topic.
pub fn is_dead_letter_topic(topic: &str) -> bool {
    topic.ends_with(catalogue().dead_letters.suffix.as_str())
}

/// The source topic of a dead-letter topic, without every dead-letter suffix (of dead letters that were refused once
/// more); `None` where the name has no such suffix.
pub fn source_topic(name: &str) -> Option<&str> {
    let source = name.trim_end_matches(catalogue().dead_letters.suffix.as_str());
    (source.len() < name.len() && !source.is_empty()).then_some(source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EVENT_TYPES;

    #[test]
    fn every_event_type_has_its_topic_in_the_catalogue() {
        for event_type in EVENT_TYPES {
            assert!(catalogue().topic(event_type.topic).is_some(), "{} is missing", event_type.topic);
        }
    }

    /// By name, and by size: the source's largest record and 64 KiB.
    #[test]
    fn dead_letter_topics_fit_their_source_topics() {
        for topic in &catalogue().topics {
            if let Some(dead_letters) = &topic.dead_letter_topic {
                assert_eq!(*dead_letters, dead_letter_topic(&topic.name));
            }
            assert!(catalogue().dead_letters.max_message_bytes >= topic.max_message_bytes + DEAD_LETTER_BYTES);
        }
    }

    /// What they read has a dead-letter topic.
    #[test]
    fn consumers_use_topics_of_the_catalogue() {
        for consumer in &catalogue().consumers {
            for name in &consumer.reads {
                let topic = catalogue().topic(name).unwrap_or_else(|| panic!("{name} is missing"));
                assert!(topic.dead_letter_topic.is_some(), "{name} is consumed, but has no dead-letter topic");
            }
            assert!(consumer.writes.iter().all(|name| catalogue().topic(name).is_some()));
        }
    }

    #[test]
    fn a_wrong_catalogue_names_the_topic_and_the_field() {
        let changed = |from: &str, to: &str| Catalogue::read(&SOURCE.replacen(from, to, 1)).unwrap_err().to_string();
        for (from, to, expected) in [
            ("\"partitions\": 3", "\"partitions\": 0", "notifications: partitions must be at least 1, not 0"),
            ("\"name\": \"events\"", "\"name\": \"notifications\"", "notifications: there are two topics"),
            ("604800000", "-2", "notifications: retention_ms must be"),
            ("orders.dlq", "letters", "orders: its dead_letter_topic must be orders.dlq"),
            ("1048576", "1100000", "notifications: dead_letters.max_message_bytes must be its own and 65536 more"),
            ("\"reads\": [\"orders\"]", "\"reads\": [\"order\"]", "order: a consumer uses it"),
            ("\"partitions\": 3", "\"partition\": 3", "unknown field `partition`"),
        ] {
            let error = changed(from, to);
            assert!(error.contains(expected), "{from} to {to}: {error}");
        }
    }
}
