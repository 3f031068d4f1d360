//! What was done, would be done, or was refused.

use millrace_domain::topic_plan::{TopicChange, TopicPlan};
use serde_json::{Value, json};

/// What became of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was carried out.
    Applied,
    /// It was asked for alone.
    Planned,
    /// It would lose records: nothing was changed.
    Refused,
}

impl Outcome {
    /// `applied`, `planned` or `refused`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Planned => "planned",
            Self::Refused => "refused",
        }
    }
}

/// A plan for every topic of the catalogue, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What became of it.
    pub outcome: Outcome,
    /// The plans, also of topics that need no change.
    pub plans: Vec<TopicPlan>,
}

impl Report {
    /// For other programs: `{"outcome", "topics": [{"topic", "changes": […], "refused": […]}]}`.
    pub fn to_json(&self) -> Value {
        let topics: Vec<Value> = self.plans.iter().map(topic_json).collect();
        json!({"outcome": self.outcome.as_str(), "topics": topics})
    }

    /// The topics that have changed, or would have.
    pub fn changed(&self) -> Vec<&str> {
        let changed = self.plans.iter().filter(|plan| !plan.changes.is_empty());
        changed.map(|plan| plan.topic.name.as_str()).collect()
    }

    /// Each refusal with its topic.
    pub fn refusals(&self) -> Vec<String> {
        let of_topic = |plan: &TopicPlan| -> Vec<String> {
            plan.refusals.iter().map(|reason| format!("{}: {reason}", plan.topic.name)).collect()
        };
        self.plans.iter().flat_map(of_topic).collect()
    }
}

fn topic_json(plan: &TopicPlan) -> Value {
    let change = |change: &TopicChange| match change {
        TopicChange::Create => json!({"change": "create", "partitions": plan.topic.partitions}),
        TopicChange::Grow { from, to } => json!({"change": "grow", "from": from, "to": to}),
        TopicChange::Set { setting, from, to } => {
            json!({"change": "set", "setting": setting, "from": from, "to": to})
        }
    };
    let changes: Vec<Value> = plan.changes.iter().map(change).collect();
    json!({"topic": plan.topic.name, "changes": changes, "refused": plan.refusals})
}
