//! What the messages of the queue are.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use aws_lambda_events::sns::SnsMessage;
use millrace_lake::anomaly::AlertEvent;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is to be told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum News {
    /// What is told of an outage: to be published.
    Alert(Box<AlertEvent>),
    /// What a stage cannot take in: to be published, where it is not tried again.
    Failure(Failure),
    /// A notification of the topic: to be posted to chats.
    Notification(Notification),
}

/// That a stage failed for an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) stage: String,
    pub(crate) object: String,
    pub(crate) state: String,
    /// `transient`: it is tried again; `permanent`: it is not.
    pub(crate) class: String,
    pub(crate) reason: String,
}

/// A notification of the topic, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notification {
    /// Names it among those of the topic.
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) text: String,
}

/// The part of an alarm of `CloudWatch`, as it notifies a topic, that people are told.
#[derive(Debug, Deserialize)]
struct Alarm {
    #[serde(rename = "AlarmName")]
    name: String,
    #[serde(rename = "AlarmDescription")]
    description: Option<String>,
    #[serde(rename = "NewStateValue")]
    state: String,
    #[serde(rename = "NewStateReason")]
    reason: String,
}

impl News {
    /// Reads the body of a message; what is no news says so.
    pub(crate) fn of(body: &Value) -> Result<Self, String> {
        if body["Type"] == "Notification" {
            let message = SnsMessage::deserialize(body);
            let message = message.map_err(|error| format!("no notification of a topic: {error}"))?;
            return Ok(Self::Notification(notification(message)));
        }
        if body["detail-type"] == "Stage Failed" {
            let event = EventBridgeEvent::deserialize(body);
            return Ok(Self::Failure(event.map_err(|error| format!("no failure of a stage: {error}"))?.detail));
        }
        let event = EventBridgeEvent::<AlertEvent>::deserialize(body).map_err(|error| format!("no alert: {error}"))?;
        Ok(Self::Alert(Box::new(event.detail)))
    }
}

fn notification(message: SnsMessage) -> Notification {
    let SnsMessage { message_id: id, subject, message: text, .. } = message;
    if let Ok(alarm) = serde_json::from_str::<Alarm>(&text) {
        let Alarm { name, description, state, reason } = alarm;
        let title = format!("{state} {name}");
        let text = description.into_iter().chain([reason]).collect::<Vec<_>>().join("\n");
        return Notification { id, title, text };
    }
    Notification { id, title: subject.unwrap_or_else(|| "Notification".to_owned()), text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn published(subject: Option<&str>, message: &str) -> Value {
        json!({
            "Type": "Notification", "MessageId": "n", "TopicArn": "arn", "Subject": subject, "Message": message,
            "Timestamp": "2026-01-31T12:00:00.000Z", "SignatureVersion": "1", "Signature": "s", "SigningCertURL": "u",
            "UnsubscribeURL": "u",
        })
    }

    #[test]
    fn an_alarm_is_told_in_words_and_other_text_as_it_is() {
        let alarm = json!({
            "AlarmName": "pay-lag", "AlarmDescription": "payments is behind. docs/runbook.md#lag", "NewStateValue": "ALARM",
            "NewStateReason": "Threshold Crossed: 15 datapoints", "StateChangeTime": "2026-01-31T12:00:00.000+0000",
        });
        let expected = Notification {
            id: "n".to_owned(),
            title: "ALARM pay-lag".to_owned(),
            text: "payments is behind. docs/runbook.md#lag\nThreshold Crossed: 15 datapoints".to_owned(),
        };
        let news = News::of(&published(Some("ALARM: \"pay-lag\" in EU"), &alarm.to_string()));
        assert_eq!(news, Ok(News::Notification(expected)));
        let Ok(News::Notification(text)) = News::of(&published(Some("a subject"), "a text")) else {
            unreachable!("text")
        };
        assert_eq!((text.title.as_str(), text.text.as_str()), ("a subject", "a text"));
    }

    #[test]
    fn what_is_no_news_says_so() {
        assert!(
            News::of(&json!({"detail-type": "Stage Completed", "source": "s", "detail": {}}))
                .unwrap_err()
                .starts_with("no alert: ")
        );
    }
}
