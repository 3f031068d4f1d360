//! What `millrace topics apply` has done, would do, or refuses, for a person.

use millrace_domain::topic_plan::{TopicChange, TopicPlan};
use millrace_topics::{Outcome, Report};

use crate::text_table::write_table;

/// A line for each change and each refusal, and a summary.
pub(super) fn text(Report { outcome, plans }: &Report) -> String {
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
    let changed = plans.len() - unchanged;
    let summary = match outcome {
        Outcome::Applied => format!("{changed} changed, {unchanged} already as the catalogue says"),
        Outcome::Planned => {
            format!("{changed} to change, {unchanged} as the catalogue says: nothing was changed (--dry-run)")
        }
        Outcome::Refused => "refused: nothing was changed".to_owned(),
    };
    text + &format!("{} topics: {summary}\n", plans.len())
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
