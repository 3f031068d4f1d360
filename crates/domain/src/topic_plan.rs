//! What it takes to make a broker's topics those of a catalogue, and what of it would lose records.
//!
//! | a topic on the broker | the catalogue | then |
//! |---|---|---|
//! | none | has it | it is created |
//! | partitions | more | it grows; keys move to other partitions |
//! | partitions | fewer | refused: Kafka cannot shrink a topic without losing records |
//! | replication | another, by request | refused: partitions would have to be moved by hand |
//! | `retention.ms` | longer | set |
//! | `retention.ms` | shorter | refused, unless it was asked for |
//! | `cleanup.policy` | another | refused: compaction and deletion remove other records |
//! | `max.message.bytes` | larger | set |
//! | `max.message.bytes` | smaller | kept: dead-letter topics are raised to what their sources take |

use std::collections::{BTreeMap, BTreeSet};

use crate::catalogue::{Catalogue, Topic, dead_letter_limit};

const RETENTION: &str = "retention.ms";
const CLEANUP_POLICY: &str = "cleanup.policy";
const MAX_MESSAGE_BYTES: &str = "max.message.bytes";

/// A topic as a broker has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    /// Number of partitions.
    pub partitions: i32,
    /// Copies of each partition; the fewest where partitions differ.
    pub replication: i32,
    /// Its settings by Kafka's names, defaults included.
    pub settings: BTreeMap<String, String>,
}

/// What is wanted beside the catalogue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlanOptions {
    /// Copies of each partition; `None` leaves it to the broker, and existing topics as they are.
    pub replication: Option<i32>,
    /// Whether a retention may become shorter, so that older records are deleted.
    pub allows_shorter_retention: bool,
}

/// One change of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicChange {
    /// It is created with what the plan's topic says.
    Create,
    /// It gets more partitions.
    Grow {
        /// How many it has.
        from: i32,
        /// How many it will have.
        to: i32,
    },
    /// A setting gets another value.
    Set {
        /// The setting, by Kafka's name.
        setting: &'static str,
        /// Its value, where the broker names one.
        from: Option<String>,
        /// Its new value.
        to: String,
    },
}

/// What is to be done with one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPlan {
    /// The topic as it will be.
    pub topic: Topic,
    /// The changes; none where the topic is as it should be.
    pub changes: Vec<TopicChange>,
    /// Why the topic cannot become what the catalogue says.
    pub refusals: Vec<String>,
}

/// The plan for every topic of the catalogue, dead-letter topics included. Where one of them has refusals, none of it
/// may be carried out. `found` holds the topics that the broker has.
pub fn plan(catalogue: &Catalogue, found: &BTreeMap<String, TopicState>, options: PlanOptions) -> Vec<TopicPlan> {
    let plan_of = |mut topic: Topic| {
        if let Some(source) = catalogue.source_of(&topic.name) {
            let source = found.get(&source.name).and_then(max_message_bytes).unwrap_or(0);
            topic.max_message_bytes = topic.max_message_bytes.max(dead_letter_limit(source));
        }
        let (mut changes, mut refusals) = (Vec::new(), Vec::new());
        match found.get(&topic.name) {
            None => changes.push(TopicChange::Create),
            Some(state) => compare(&topic, state, options, &mut changes, &mut refusals),
        }
        TopicPlan { topic, changes, refusals }
    };
    catalogue.all().into_iter().map(plan_of).collect()
}

fn compare(
    topic: &Topic,
    state: &TopicState,
    options: PlanOptions,
    changes: &mut Vec<TopicChange>,
    refusals: &mut Vec<String>,
) {
    let (from, to) = (state.partitions, topic.partitions);
    if to > from {
        changes.push(TopicChange::Grow { from, to });
    } else if to < from {
        refusals.push(format!("it has {from} partitions, and the catalogue {to}: Kafka cannot take partitions away"));
    }
    if let Some(replication) = options.replication.filter(|wanted| *wanted != state.replication) {
        let has = state.replication;
        refusals.push(format!("it has {has} replicas, not {replication}: move them with kafka-reassign-partitions"));
    }
    for (setting, to) in topic.config() {
        let from = state.settings.get(setting);
        if from == Some(&to) {
            continue;
        }
        match (setting, from) {
            (RETENTION, Some(from)) if retains_less(&to, from) && !options.allows_shorter_retention => {
                refusals.push(format!(
                    "{RETENTION} is {from}, and the catalogue's {to} would delete older records, which must be allowed first \
                     (shorten-retention)"
                ));
            }
            (CLEANUP_POLICY, Some(from)) if policies(from) == policies(&to) => {}
            (CLEANUP_POLICY, Some(from)) => {
                refusals
                    .push(format!("{CLEANUP_POLICY} is {from}, and the catalogue's {to} would remove other records"));
            }
            (MAX_MESSAGE_BYTES, _) if max_message_bytes(state).is_some_and(|has| has > topic.max_message_bytes) => {}
            _ => changes.push(TopicChange::Set { setting, from: from.cloned(), to }),
        }
    }
}

/// Kafka keeps the policies in the order in which they were written.
fn policies(text: &str) -> BTreeSet<&str> {
    text.split(',').map(str::trim).collect()
}

/// Whether a retention is shorter than another; -1 is unlimited.
fn retains_less(to: &str, from: &str) -> bool {
    let time = |text: &str| text.parse().map_or(i64::MAX, |time: i64| if time < 0 { i64::MAX } else { time });
    time(to) < time(from)
}

fn max_message_bytes(state: &TopicState) -> Option<u32> {
    state.settings.get(MAX_MESSAGE_BYTES)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalogue::catalogue;

    /// A broker that has each topic as the catalogue says.
    fn as_planned() -> BTreeMap<String, TopicState> {
        catalogue().all().iter().map(|topic| (topic.name.clone(), state_of(topic, 3))).collect()
    }

    fn state_of(topic: &Topic, replication: i32) -> TopicState {
        let settings = topic.config().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        TopicState { partitions: topic.partitions, replication, settings }
    }

    fn of<'p>(plans: &'p [TopicPlan], name: &str) -> &'p TopicPlan {
        plans.iter().find(|plan| plan.topic.name == name).unwrap()
    }

    /// Carries a plan out.
    fn apply(plans: &[TopicPlan], found: &mut BTreeMap<String, TopicState>) {
        for TopicPlan { topic, changes, .. } in plans {
            for change in changes {
                match change {
                    TopicChange::Create => drop(found.insert(topic.name.clone(), state_of(topic, 3))),
                    TopicChange::Grow { to, .. } => found.get_mut(&topic.name).unwrap().partitions = *to,
                    TopicChange::Set { setting, to, .. } => {
                        found.get_mut(&topic.name).unwrap().settings.insert((*setting).to_owned(), to.clone());
                    }
                }
            }
        }
    }

    #[test]
    fn an_empty_broker_gets_every_topic_and_a_planned_one_nothing() {
        let plans = plan(catalogue(), &BTreeMap::new(), PlanOptions::default());
        assert!(plans.iter().all(|plan| plan.changes == [TopicChange::Create] && plan.refusals.is_empty()));
        assert_eq!(plans.len(), catalogue().all().len());
        let plans = plan(catalogue(), &as_planned(), PlanOptions { replication: Some(3), ..PlanOptions::default() });
        assert!(plans.iter().all(|plan| plan.changes.is_empty() && plan.refusals.is_empty()), "{plans:?}");
    }

    #[test]
    fn what_would_lose_records_is_refused() {
        let mut found = as_planned();
        let change = |found: &mut BTreeMap<String, TopicState>, topic: &str, setting: &str, value: &str| {
            found.get_mut(topic).unwrap().settings.insert(setting.to_owned(), value.to_owned());
        };
        found.get_mut("orders").unwrap().partitions = 12;
        change(&mut found, "events", RETENTION, "-1");
        change(&mut found, "payments", CLEANUP_POLICY, "compact");
        let plans = plan(catalogue(), &found, PlanOptions::default());
        for (topic, reason) in [("orders", "12 partitions"), ("events", "retention.ms"), ("payments", "cleanup.policy")]
        {
            let plan = of(&plans, topic);
            assert!(plan.changes.is_empty() && plan.refusals.len() == 1, "{plan:?}");
            assert!(plan.refusals[0].contains(reason), "{plan:?}");
        }
        let options = PlanOptions { replication: Some(2), allows_shorter_retention: true };
        let plans = plan(catalogue(), &found, options);
        assert!(plans.iter().all(|plan| plan.refusals.iter().any(|reason| reason.starts_with("it has 3 replicas"))));
        assert!(matches!(&*of(&plans, "events").changes, [TopicChange::Set { setting: RETENTION, .. }]));
    }

    #[test]
    fn a_dead_letter_topic_takes_what_its_source_takes_and_more() {
        let mut found = as_planned();
        for (large, expected) in [(8 << 20, (8 << 20) + (64 << 10)), (i32::MAX, i32::MAX)] {
            found.get_mut("events").unwrap().settings.insert(MAX_MESSAGE_BYTES.to_owned(), large.to_string());
            let plans = plan(catalogue(), &found, PlanOptions::default());
            assert!(of(&plans, "events").changes.is_empty(), "a limit is never lowered");
            let changes = &of(&plans, "events.dlq").changes;
            assert!(matches!(&**changes, [TopicChange::Set { to, .. }] if *to == expected.to_string()), "{changes:?}");
        }
    }

    fn states() -> impl Strategy<Value = BTreeMap<String, TopicState>> {
        let names = catalogue().all().into_iter().map(|topic| topic.name).collect::<Vec<_>>();
        let retention = prop_oneof![Just(-1_i64), 0..3_000_000_000_i64];
        let policy = prop_oneof![4 => Just("delete"), 1 => Just("compact"), 1 => Just("compact,delete")];
        let state = (1..12, 1..4, retention, policy, 0..4_000_000_u32).prop_map(
            |(partitions, replication, retention, policy, bytes)| {
                let settings = [
                    (RETENTION, retention.to_string()),
                    (CLEANUP_POLICY, policy.to_owned()),
                    (MAX_MESSAGE_BYTES, bytes.to_string()),
                ];
                let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                TopicState { partitions, replication, settings }
            },
        );
        proptest::collection::btree_map(proptest::sample::select(names), state, 0..12)
    }

    proptest! {
        /// Whatever a broker has: nothing that holds records becomes less, and a second plan finds nothing to do.
        #[test]
        fn a_plan_takes_nothing_away_and_is_done_once(found in states(), allows_shorter_retention: bool) {
            let options = PlanOptions { replication: None, allows_shorter_retention };
            let plans = plan(catalogue(), &found, options);
            let mut after = found.clone();
            apply(&plans, &mut after);
            for (name, before) in &found {
                let after = &after[name];
                prop_assert!(after.partitions >= before.partitions);
                prop_assert_eq!(&after.settings[CLEANUP_POLICY], &before.settings[CLEANUP_POLICY]);
                prop_assert!(max_message_bytes(after) >= max_message_bytes(before));
                if !allows_shorter_retention {
                    prop_assert!(!retains_less(&after.settings[RETENTION], &before.settings[RETENTION]));
                }
            }
            // Sources whose limit was raised raise that of their dead letters a step later, where it was not enough.
            let again = plan(catalogue(), &after, options);
            for (first, second) in plans.iter().zip(&again) {
                prop_assert_eq!(&first.refusals, &second.refusals);
                prop_assert!(second.changes.is_empty(), "{:?}", second);
            }
        }
    }
}
