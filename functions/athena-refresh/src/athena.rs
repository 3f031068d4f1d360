//! Queries of Amazon Athena, until they end.

use std::time::Duration;

use aws_sdk_athena::Client;
use aws_sdk_athena::types::{QueryExecutionContext, QueryExecutionState};
use tokio::time::{Instant, sleep};

/// How far apart a query is looked at: at first, and at most.
const FIRST_INTERVAL: Duration = Duration::from_millis(200);
const MAX_INTERVAL: Duration = Duration::from_secs(2);

/// A workgroup, and the database that its queries mean.
pub(crate) struct Athena {
    client: Client,
    workgroup: String,
    database: String,
}

impl Athena {
    pub(crate) async fn connect(workgroup: String, database: String) -> Self {
        Self { client: Client::new(&millrace_aws::config().load().await), workgroup, database }
    }

    /// Runs a statement, and waits until it has ended, at most until the deadline: a query that was only started may fail.
    pub(crate) async fn run(&self, statement: &str, deadline: Instant) -> Result<(), String> {
        let database = QueryExecutionContext::builder().database(&self.database).build();
        let start = self.client.start_query_execution().query_string(statement).work_group(&self.workgroup);
        let started = start.query_execution_context(database).send().await;
        let started = started.map_err(|error| millrace_aws::message(&error))?;
        let id = started.query_execution_id().ok_or("a query was started without an id")?;
        let mut interval = FIRST_INTERVAL;
        while Instant::now() + interval < deadline {
            sleep(interval).await;
            interval = MAX_INTERVAL.min(interval * 2);
            let looked = self.client.get_query_execution().query_execution_id(id).send().await;
            let looked = looked.map_err(|error| millrace_aws::message(&error))?;
            let Some(status) = looked.query_execution().and_then(|execution| execution.status()) else { continue };
            let reason = status.state_change_reason().unwrap_or("no reason is given");
            match status.state() {
                Some(QueryExecutionState::Succeeded) => return Ok(()),
                Some(QueryExecutionState::Failed) => return Err(format!("query {id} has failed: {reason}")),
                Some(QueryExecutionState::Cancelled) => return Err(format!("query {id} was cancelled: {reason}")),
                _ => {}
            }
        }
        Err(format!("query {id} has not ended in time"))
    }
}
