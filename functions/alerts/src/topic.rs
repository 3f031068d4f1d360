//! Outages on a topic of Amazon SNS, in words.

use aws_sdk_sns::Client;
use millrace_lake::anomaly::AlertEvent;

use crate::event::Failure;

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

    /// Publishes what is told of an outage.
    pub(crate) async fn publish_alert(&self, alert: &AlertEvent) -> Result<(), String> {
        let title = format!("{} {}", alert.word(), alert.headline());
        self.publish(&title, format!("{}\n\n{}", alert.headline(), alert.body())).await
    }

    /// Publishes what a stage cannot take in.
    pub(crate) async fn publish_failure(&self, failure: &Failure) -> Result<(), String> {
        let Failure { stage, object, state, reason, .. } = failure;
        let title = format!("FAILED stage {stage}: {state}");
        let text = format!(
            "The stage {stage} cannot take in {object}, and does not try again: {state}: {reason}\n\nRunbook: stage-failed-for-good\n"
        );
        self.publish(&title, text).await
    }

    async fn publish(&self, title: &str, text: String) -> Result<(), String> {
        let request = self.client.publish().topic_arn(&self.arn).subject(subject(title)).message(text);
        request.send().await.map(drop).map_err(|error| millrace_aws::message(&error))
    }
}

/// A title as SNS takes subjects.
fn subject(title: &str) -> String {
    let printable = |letter: char| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' };
    title.chars().map(printable).take(SUBJECT_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_short_and_printable() {
        assert_eq!(subject("ALERT pay: 41 % errors"), "ALERT pay: 41 % errors");
        assert_eq!(subject("ALERT kasse\nü"), "ALERT kasse??");
        assert_eq!(subject(&"x".repeat(200)).len(), 99);
    }
}
