//! Plans what differs from a catalogue, and carries it out where no record would be lost.

use std::time::Duration;

use millrace_broker::topics::{TopicSpec, grow};
use millrace_domain::catalogue::Catalogue;
use millrace_domain::topic_plan::{PlanOptions, TopicChange, TopicPlan, plan};
use millrace_kafka::KafkaSettings;
use millrace_kafka::admin::AdminClient;
use millrace_kafka::logging_context::LoggingContext;

use crate::create::{CHANGE_TIMEOUT, create_topics, spec};
use crate::error::TopicsError;
use crate::report::{Outcome, Report};

/// Time-out of one admin request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// What is wanted beside the catalogue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Whether the plan alone is wanted.
    pub is_dry_run: bool,
    /// What the plan may do.
    pub plan: PlanOptions,
}

/// Plans, and where nothing is refused carries the plan out.
///
/// # Errors
/// [`TopicsError`] names the cases. A refusal is a report, not an error.
pub async fn apply(
    settings: &KafkaSettings,
    catalogue: &Catalogue,
    options: ApplyOptions,
) -> Result<Report, TopicsError> {
    let admin = AdminClient::new(settings)?;
    if admin.is_in_memory(REQUEST_TIMEOUT).await? {
        return Err(TopicsError::Embedded { address: settings.bootstrap_servers.clone() });
    }
    let names = catalogue.all().into_iter().map(|topic| topic.name).collect();
    let found = admin.topic_states(names, REQUEST_TIMEOUT).await?;
    let plans = plan(catalogue, &found, options.plan);
    let is_refused = plans.iter().any(|plan| !plan.refusals.is_empty());
    let outcome = match (is_refused, options.is_dry_run) {
        (true, _) => Outcome::Refused,
        (false, true) => Outcome::Planned,
        (false, false) => Outcome::Applied,
    };
    if outcome == Outcome::Applied {
        carry_out(settings, &admin, &plans, options.plan.replication).await?;
    }
    Ok(Report { outcome, plans })
}

/// A second run finishes what an error interrupts.
async fn carry_out(
    settings: &KafkaSettings,
    admin: &AdminClient,
    plans: &[TopicPlan],
    replication: Option<i32>,
) -> Result<(), TopicsError> {
    let with = |wanted: fn(&TopicChange) -> bool| -> Vec<TopicSpec> {
        let plans = plans.iter().filter(|plan| plan.changes.iter().any(wanted));
        plans.map(|plan| spec(plan.topic.clone(), replication)).collect()
    };
    let (new, growing) = (
        with(|change| matches!(change, TopicChange::Create)),
        with(|change| matches!(change, TopicChange::Grow { .. })),
    );
    if !new.is_empty() {
        create_topics(settings, &new).await?;
    }
    if !growing.is_empty() {
        let (config, context) = (settings.client_config("topics")?, LoggingContext::new(settings)?);
        let grown = grow(&config, context, &growing, CHANGE_TIMEOUT).await;
        grown.map_err(|error| TopicsError::change(error, &settings.bootstrap_servers))?;
    }
    for TopicPlan { topic, changes, .. } in plans {
        for change in changes {
            if let TopicChange::Set { setting, to, .. } = change {
                let set = admin.set_topic_setting(&topic.name, setting, to.clone(), REQUEST_TIMEOUT).await;
                set.map_err(|source| TopicsError::Setting { topic: topic.name.clone(), setting, source })?;
            }
        }
    }
    Ok(())
}
