//! Amazon MSK: IAM tokens, and bootstrap brokers from a cluster's ARN.

use std::error::Error;

use aws_config::{BehaviorVersion, Region};
use rdkafka::client::OAuthToken;
use tokio::runtime::Handle;

use crate::error::KafkaError;

/// Signs tokens with the AWS credentials of the environment.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    region: Region,
    runtime: Handle,
}

impl Tokens {
    /// Reads the region from `AWS_REGION`, else `AWS_DEFAULT_REGION`.
    pub(crate) fn from_environment() -> Result<Self, KafkaError> {
        let region = std::env::var("AWS_REGION").or_else(|_| std::env::var("AWS_DEFAULT_REGION"));
        let region = region
            .map_err(|_| KafkaError::Credentials("AWS_REGION is not set; IAM authentication needs it".to_owned()))?;
        let runtime = Handle::try_current().map_err(|error| KafkaError::Credentials(error.to_string()))?;
        Ok(Self { region: Region::new(region), runtime })
    }

    /// A new token. Runs on librdkafka's polling thread, which may block.
    pub(crate) fn generate(&self) -> Result<OAuthToken, Box<dyn Error>> {
        let signed = aws_msk_iam_sasl_signer::generate_auth_token(self.region.clone());
        let (token, lifetime_ms) = self.runtime.block_on(signed)?;
        Ok(OAuthToken { token, principal_name: "millrace".to_owned(), lifetime_ms })
    }
}

/// The bootstrap brokers of an MSK cluster for clients that authenticate with IAM.
///
/// # Errors
/// [`KafkaError::Unreachable`] where AWS does not answer, or the cluster has no listener for IAM.
pub async fn bootstrap_brokers(cluster_arn: &str) -> Result<String, KafkaError> {
    let unreachable = |reason: String| KafkaError::Unreachable { bootstrap: cluster_arn.to_owned(), reason };
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let call = aws_sdk_kafka::Client::new(&config).get_bootstrap_brokers().cluster_arn(cluster_arn).send();
    let answer =
        call.await.map_err(|error| unreachable(aws_sdk_kafka::error::DisplayErrorContext(&error).to_string()))?;
    let brokers = answer.bootstrap_broker_string_sasl_iam();
    brokers.map(str::to_owned).ok_or_else(|| unreachable("the cluster has no listener for IAM".to_owned()))
}
