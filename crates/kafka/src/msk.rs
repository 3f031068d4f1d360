//! Amazon MSK: IAM tokens, and bootstrap brokers from a cluster's ARN.

mod token;

use std::error::Error;
use std::sync::Arc;
use std::time::SystemTime;

use aws_credential_types::provider::ProvideCredentials as _;
use millrace_aws::SdkConfig;
use rdkafka::client::OAuthToken;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

use crate::error::KafkaError;

/// Signs tokens with the AWS credentials of the environment.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    region: String,
    runtime: Handle,
    /// It keeps credentials until they expire.
    config: Arc<OnceCell<SdkConfig>>,
}

impl Tokens {
    /// Reads the region from `AWS_REGION`, else `AWS_DEFAULT_REGION`.
    pub(crate) fn from_environment() -> Result<Self, KafkaError> {
        let region = std::env::var("AWS_REGION").or_else(|_| std::env::var("AWS_DEFAULT_REGION"));
        let region = region
            .map_err(|_| KafkaError::Credentials("AWS_REGION is not set; IAM authentication needs it".to_owned()))?;
        let runtime = Handle::try_current().map_err(|error| KafkaError::Credentials(error.to_string()))?;
        Ok(Self { region, runtime, config: Arc::default() })
    }

    /// A new token. Runs on librdkafka's polling thread, which may block.
    pub(crate) fn generate(&self) -> Result<OAuthToken, Box<dyn Error>> {
        let credentials = self.runtime.block_on(async {
            let config = self.config.get_or_init(|| millrace_aws::config().load()).await;
            let provider = config.credentials_provider().ok_or("there are no AWS credentials")?;
            provider.provide_credentials().await.map_err(Box::<dyn Error>::from)
        })?;
        let signed = token::sign(&self.region, credentials, SystemTime::now())?;
        let lifetime_ms = signed.expires_at.duration_since(SystemTime::UNIX_EPOCH)?.as_millis().try_into()?;
        Ok(OAuthToken { token: signed.token, principal_name: "millrace".to_owned(), lifetime_ms })
    }
}

/// The bootstrap brokers of an MSK cluster for clients that authenticate with IAM.
///
/// # Errors
/// [`KafkaError::Unreachable`] where AWS does not answer, or the cluster has no listener for IAM.
pub async fn bootstrap_brokers(cluster_arn: &str) -> Result<String, KafkaError> {
    let unreachable = |reason: String| KafkaError::Unreachable { bootstrap: cluster_arn.to_owned(), reason };
    let config = millrace_aws::config().load().await;
    let call = aws_sdk_kafka::Client::new(&config).get_bootstrap_brokers().cluster_arn(cluster_arn).send();
    let answer =
        call.await.map_err(|error| unreachable(aws_sdk_kafka::error::DisplayErrorContext(&error).to_string()))?;
    let brokers = answer.bootstrap_broker_string_sasl_iam();
    brokers.map(str::to_owned).ok_or_else(|| unreachable("the cluster has no listener for IAM".to_owned()))
}
