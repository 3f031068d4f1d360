//! One invocation: the news of a batch of messages.

use std::time::Duration;

use lambda_runtime::{Diagnostic, LambdaEvent};
use millrace_lake::anomaly::AlertEvent;
use millrace_lambda::queue::{Taken, take_messages};
use millrace_objects::GetError;
use serde_json::Value;
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use crate::context::Context;
use crate::event::{Failure, News, Notification};

/// How often, and how far apart, the end of an outage looks for its beginning, before its message comes again later.
const EARLY_ATTEMPTS: u32 = 20;
const EARLY_INTERVAL: Duration = Duration::from_millis(250);

/// Why something was not told: its message comes again.
#[derive(Debug, Error)]
enum TellError {
    /// It is not known what was told.
    #[error("the lake cannot be read or written: {0}")]
    Lake(String),
    /// The beginning of the outage was not told yet.
    #[error("the end of an outage has come before its beginning")]
    Early,
    /// The topic did not take it.
    #[error("the topic did not take an alert: {0}")]
    Topic(String),
    /// A chat did not take it.
    #[error("{chat} did not take a notification: {reason}")]
    Chat { chat: &'static str, reason: String },
}

/// Tells the news of an event's messages. Those whose news are not all told are in the answer, and come again.
///
/// # Errors
/// `InvalidEvent` for what has no messages.
pub async fn handle(context: &Context, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    take_messages(event.payload, async |message_id, _, body| {
        let told = match News::of(&body) {
            Ok(News::Alert(alert)) => publish(context, &alert).await,
            Ok(News::Failure(failure)) => publish_failure(context, &failure).await,
            Ok(News::Notification(notification)) => post(context, &notification).await,
            Err(problem) => return Taken::Unreadable(problem),
        };
        match told {
            Ok(()) => Taken::Done,
            Err(error) => {
                tracing::warn!(message_id, %error, "telling failed; the message comes again");
                Taken::Again
            }
        }
    })
    .await
}

/// Publishes what is told of an outage to the topic, unless that was done.
async fn publish(context: &Context, alert: &AlertEvent) -> Result<(), TellError> {
    if matches!(alert, AlertEvent::Resolved(_)) {
        until_raised(context, alert.alert_id()).await?;
    }
    once(context, &mark(&alert.id()), async || {
        context.topic.publish_alert(alert).await.map_err(TellError::Topic)?;
        tracing::info!(alert = alert.alert_id(), kind = alert.event_type(), "{}", alert.headline());
        Ok(())
    })
    .await
}

/// Waits a little until the beginning of an outage is told: messages come in any order.
async fn until_raised(context: &Context, alert_id: &str) -> Result<(), TellError> {
    let raised = mark(&format!("{alert_id}-raised"));
    for _ in 0..EARLY_ATTEMPTS {
        if is_told(context, &raised).await? {
            return Ok(());
        }
        tokio::time::sleep(EARLY_INTERVAL).await;
    }
    Err(TellError::Early)
}

/// Publishes that a stage cannot take in an object, unless it is tried again, or that was done.
async fn publish_failure(context: &Context, failure: &Failure) -> Result<(), TellError> {
    if failure.class != "permanent" {
        return Ok(());
    }
    let Failure { stage, object, state, .. } = failure;
    let id = format!("failed-{stage}-{state}-{:016x}", xxh3_64(object.as_bytes()));
    once(context, &mark(&id), async || {
        context.topic.publish_failure(failure).await.map_err(TellError::Topic)?;
        tracing::info!(stage, object, state, "told that a stage failed for good");
        Ok(())
    })
    .await
}

/// Posts a notification to each chat, unless that was done.
async fn post(context: &Context, notification: &Notification) -> Result<(), TellError> {
    let mut result = Ok(());
    for chat in &context.chats {
        let posted = once(context, &mark(&format!("{}-{}", notification.id, chat.name)), async || {
            let posted = chat.post(notification).await;
            posted.map_err(|failure| TellError::Chat { chat: chat.name, reason: failure.to_string() })
        })
        .await;
        // The others are told all the same.
        result = posted.and(result);
    }
    result
}

/// The path of the object that says that something was told.
fn mark(id: &str) -> String {
    format!("stages/alerts/{id}.json")
}

async fn is_told(context: &Context, mark: &str) -> Result<bool, TellError> {
    match context.objects.version(mark).await {
        Ok(_) => Ok(true),
        Err(GetError::Missing { .. }) => Ok(false),
        Err(error) => Err(TellError::Lake(error.to_string())),
    }
}

/// Does what is not marked as done, and marks it.
async fn once(
    context: &Context,
    mark: &str,
    tell: impl AsyncFnOnce() -> Result<(), TellError>,
) -> Result<(), TellError> {
    if is_told(context, mark).await? {
        return Ok(());
    }
    tell().await?;
    context.objects.create(mark, "{}".into()).await.map(drop).map_err(|error| TellError::Lake(error.to_string()))
}
