//! What `millrace topics apply` has done, would do, or refuses.

use millrace_domain::topic_plan::{TopicChange, TopicPlan};
use serde_json::{Value, json};

use crate::text_table::write_table;

/// What became of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was carried out.
    Applied,
    /// It was asked for alone.
    Planned,
    /// It would lose records: nothing was changed.
    Refused,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Planned => "planned",
            Self::Refused => "refused",
        }
    }

    fn summary(self) -> &'static str {
        match self {
            Self::Applied => "done",
            Self::Planned => "nothing was changed (--dry-run)",
            Self::Refused => "refused: nothing was changed",
        }
    }
}

/// A line for each change and each refusal, and a summary.
pub(super) fn text(plans: &[TopicPlan], outcome: Outcome) -> String {
    let rows_of = |plan: &TopicPlan| {
        let name = plan.topic.name.clone();
        let changes = plan.changes.iter().map(|change| describe(plan, change));
        let refusals = plan.refusals.iter().map(|reason| ("refused", reason.clone()));
        let row = |(change, what): (&str, String)| [name.clone(), change.to_owned(), what];
        changes.chain(refusals).map(row).collect::<Vec<_>>()
    };
    let rows: Vec<_> = plans.iter().flat_map(rows_of).collect();
    let unchanged = plans.iter().filter(|plan| plan.changes.is_empty() && plan.refusals.is_empty()).count();
    let mut text = String::new();
    if !rows.is_empty() {
        write_table(&mut text, ["TOPIC", "CHANGE", ""], rows.into_iter());
        text.push('\n');
    }
    if plans.iter().any(|plan| plan.changes.iter().any(|change| matches!(change, TopicChange::Grow { .. }))) {
        text.push_str(
            "A key of a topic that grows may move to another partition: its records from before and after are then \
             processed without order among each other.\n",
        );
    }
    let topics = plans.len();
    let summary = format!("{topics} topics, {unchanged} of them as the catalogue says; {}\n", outcome.summary());
    text + &summary
}

fn describe(plan: &TopicPlan, change: &TopicChange) -> (&'static str, String) {
    match change {
        TopicChange::Create => ("create", partitions(plan.topic.partitions)),
        TopicChange::Grow { from, to } => ("grow", format!("{from} to {}", partitions(*to))),
        TopicChange::Set { setting, from: Some(from), to } => ("set", format!("{setting} {from} to {to}")),
        TopicChange::Set { setting, from: None, to } => ("set", format!("{setting} to {to}")),
    }
}

fn partitions(count: i32) -> String {
    format!("{count} {}", if count == 1 { "partition" } else { "partitions" })
}

/// The plan for other programs.
pub(super) fn json(plans: &[TopicPlan], outcome: Outcome) -> serde_json::Result<String> {
    let topics: Vec<Value> = plans.iter().map(topic_json).collect();
    let report = json!({"outcome": outcome.as_str(), "topics": topics});
    serde_json::to_string_pretty(&report).map(|text| text + "\n")
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
