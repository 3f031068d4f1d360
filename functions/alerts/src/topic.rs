//! Outages on a topic of Amazon SNS, in words.

use aws_sdk_sns::Client;
use aws_sdk_sns::error::DisplayErrorContext;
use millrace_lake::anomaly::AlertEvent;

/// The longest subject, in characters: they have to be printable ASCII.
const SUBJECT_LIMIT: usize = 99;

/// A topic.
pub(crate) struct Topic {
    client: Client,
    arn: String,
}

impl Topic {
    pub(crate) async fn connect(arn: String) -> Self {
        Self { client: Client::new(&millrace_aws::config().load().await), arn }
    }

    /// Publishes an outage, or its end.
    pub(crate) async fn publish(&self, alert: &AlertEvent) -> Result<(), String> {
        let request = self.client.publish().topic_arn(&self.arn).subject(subject(alert));
        let text = format!("{}\n\n{}", alert.headline(), alert.body());
        request.message(text).send().await.map(drop).map_err(|error| DisplayErrorContext(&error).to_string())
    }
}

fn subject(alert: &AlertEvent) -> String {
    let word = match alert {
        AlertEvent::Raised(_) => "ALERT",
        AlertEvent::Resolved(_) => "RESOLVED",
    };
    let line = format!("{word} {}", alert.headline());
    let printable = |letter: char| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' };
    line.chars().map(printable).take(SUBJECT_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_subject_is_short_and_printable() {
        let alert = |service: &str| -> AlertEvent {
            serde_json::from_value(json!({
                "alert_id": "alert-1", "service": service, "window_start": "2026-01-31T12:00:00Z", "signal": "error_rate",
                "value": 0.41, "baseline": 0.012, "score": 20.0, "rows": null, "also": [],
            }))
            .unwrap()
        };
        assert_eq!(subject(&alert("pay")), "ALERT pay: 41 % errors, expected 1.2 %");
        assert_eq!(subject(&alert("kasse\nü")), "ALERT kasse??: 41 % errors, expected 1.2 %");
        assert_eq!(subject(&alert(&"x".repeat(200))).len(), 99);
    }
}
