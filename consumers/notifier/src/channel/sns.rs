//! Amazon SNS: publishes to a topic, with the event's id as a message attribute.
//!
//! Credentials and region come from the environment, as for every AWS client. Addresses are not checked: VPC endpoints
//! are private, and a topic is named by its ARN, not by an address.

use aws_sdk_sns::Client;
use aws_sdk_sns::config::retry::RetryConfig;
use aws_sdk_sns::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sns::types::MessageAttributeValue;
use tokio::sync::OnceCell;

use crate::event::{Event, fingerprint};
use crate::failure::{Failure, FailureKind};

/// The channel for SNS.
pub(crate) struct Sns {
    topic_arn: String,
    endpoint_url: Option<String>,
    client: OnceCell<Client>,
}

impl Sns {
    pub(super) fn new(topic_arn: String, endpoint_url: Option<String>) -> Self {
        Self { topic_arn, endpoint_url, client: OnceCell::new() }
    }

    pub(super) async fn send(&self, event: &Event<'_>) -> Result<(), Failure> {
        let mut request = self
            .client()
            .await
            .publish()
            .topic_arn(&self.topic_arn)
            .message(event.message)
            .message_attributes("event_id", attribute(&event.id_for_header())?)
            .message_attributes("event_type", attribute(event.kind)?)
            .message_attributes("user_id", attribute(event.user_id)?);
        // A FIFO topic keeps order within a message group.
        if self.topic_arn.rsplit('.').next() == Some("fifo") {
            request = request.message_group_id(fifo_id(event.user_id)).message_deduplication_id(fifo_id(event.id));
        }
        request.send().await.map(|_| ()).map_err(|error| failure(&error))
    }

    async fn client(&self) -> &Client {
        let connect = || async {
            // The destination retries.
            let mut config = millrace_aws::config().retry_config(RetryConfig::disabled());
            if let Some(url) = &self.endpoint_url {
                config = config.endpoint_url(url);
            }
            Client::new(&config.load().await)
        };
        self.client.get_or_init(connect).await
    }
}

fn attribute(text: &str) -> Result<MessageAttributeValue, Failure> {
    let value = MessageAttributeValue::builder().data_type("String").string_value(text).build();
    value.map_err(|error| Failure::refused(error.to_string()))
}

/// A message group or deduplication id: at most 128 visible ASCII characters, else the fingerprint.
fn fifo_id(text: &str) -> String {
    if text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return text.to_owned();
    }
    fingerprint(text)
}

fn failure<E, R>(error: &SdkError<E, R>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let kind = match error {
        SdkError::ConstructionFailure(_) => FailureKind::Refused,
        SdkError::ServiceError(service) => match service.err().code() {
            Some("Throttled" | "Throttling" | "ThrottlingException" | "KMSThrottling") => FailureKind::Throttled,
            Some("InternalError" | "InternalFailure" | "ServiceUnavailable") | None => FailureKind::Unavailable,
            Some(_) => FailureKind::Refused,
        },
        _ => FailureKind::Unavailable,
    };
    Failure { kind, ..Failure::unavailable(DisplayErrorContext(error).to_string()) }
}
