//! One invocation: the news of a batch of messages.

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse};
use lambda_runtime::{Diagnostic, LambdaEvent};
use millrace_lake::anomaly::AlertEvent;
use millrace_objects::GetError;
use serde_json::Value;
use thiserror::Error;

use crate::context::Context;
use crate::event::{Message, News, Notification, read};

/// Why something was not told: its message comes again.
#[derive(Debug, Error)]
enum TellError {
    /// It is not known what was told.
    #[error("the lake cannot be read or written: {0}")]
    Lake(String),
    /// The topic did not take it.
    #[error("the topic did not take an alert: {0}")]
    Topic(String),
    /// A chat did not take it.
    #[error("{chat} did not take a notification: {reason}")]
    Chat { chat: &'static str, reason: String },
}

/// Tells the news of an event. Messages whose news are not all told are in the answer, and come again.
///
/// # Errors
/// `InvalidEvent` for what has no messages.
pub async fn handle(context: &Context, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let failed = |error_type: &str, error_message| Diagnostic { error_type: error_type.to_owned(), error_message };
    let messages = read(event.payload).map_err(|problem| failed("InvalidEvent", problem))?;
    let mut failures = SqsBatchResponse::default();
    for Message { id, news } in messages {
        let told = match news {
            Ok(News::Alert(alert)) => publish(context, &alert).await,
            Ok(News::Notification(notification)) => post(context, &notification).await,
            Err(problem) => {
                // No attempt would read it: it is in the log, and the message is done.
                tracing::error!(message = id, problem, "ignoring a message");
                continue;
            }
        };
        if let Err(error) = told {
            tracing::warn!(message = id, %error, "telling failed; the message comes again");
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            failures.batch_item_failures.push(failure);
        }
    }
    serde_json::to_value(failures).map_err(|error| failed("InvalidAnswer", error.to_string()))
}

/// Publishes an outage to the topic, unless that was done.
async fn publish(context: &Context, alert: &AlertEvent) -> Result<(), TellError> {
    let told = format!(
        "stages/alerts/{}-{}.json",
        alert.alert_id(),
        alert.event_type().rsplit('.').next().unwrap_or_default()
    );
    once(context, &told, async || {
        context.topic.publish(alert).await.map_err(TellError::Topic)?;
        tracing::info!(alert = alert.alert_id(), kind = alert.event_type(), "{}", alert.headline());
        Ok(())
    })
    .await
}

/// Posts a notification to each chat, unless that was done. One that refuses it for good is not asked again.
async fn post(context: &Context, notification: &Notification) -> Result<(), TellError> {
    let mut result = Ok(());
    for chat in &context.chats {
        let told = format!("stages/alerts/{}-{}.json", notification.id, chat.name);
        let posted = once(context, &told, async || match chat.post(notification).await {
            Err(failure) if failure.is_transient() => {
                Err(TellError::Chat { chat: chat.name, reason: failure.to_string() })
            }
            Err(failure) => {
                tracing::error!(chat = chat.name, title = notification.title, %failure, "a chat refused a notification");
                Ok(())
            }
            Ok(()) => Ok(()),
        })
        .await;
        // The others are told all the same.
        result = posted.and(result);
    }
    result
}

/// Does what is not marked as done, and marks it.
async fn once(
    context: &Context,
    mark: &str,
    tell: impl AsyncFnOnce() -> Result<(), TellError>,
) -> Result<(), TellError> {
    match context.objects.version(mark).await {
        Ok(_) => return Ok(()),
        Err(GetError::Missing { .. }) => {}
        Err(error) => return Err(TellError::Lake(error.to_string())),
    }
    tell().await?;
    context.objects.create(mark, "{}".into()).await.map(drop).map_err(|error| TellError::Lake(error.to_string()))
}
