//! Why init ended, told to Lambda before the process ends.

use std::process::ExitCode;
use std::time::Duration;

use lambda_http::http::Request;
use lambda_runtime_api_client::body::Body;
use lambda_runtime_api_client::{BoxError, PooledClient, build_request};
use millrace_host::exit::{self, SettingError};
use millrace_kafka::KafkaError;

/// How long Lambda may take to hear of it.
const REPORT_TIMEOUT: Duration = Duration::from_secs(2);

/// Init failed: the sandbox will be replaced.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A variable cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// A variable is missing or cannot be used.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The producer cannot be built, or the cluster cannot be asked for its brokers.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
}

impl From<clap::Error> for InitError {
    /// clap's own words without its hints, which are about flags.
    fn from(error: clap::Error) -> Self {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        Self::Unreadable(first.strip_prefix("error: ").unwrap_or(first).to_owned())
    }
}

/// Tells the log and the Lambda Runtime API, and gives the exit code: 2 for a wrong setting, else 1.
pub async fn report(error: &InitError) -> ExitCode {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some()
        && let Ok(Err(failure)) = tokio::time::timeout(REPORT_TIMEOUT, post(error)).await
    {
        eprintln!("error: Lambda cannot be told that init failed: {failure}");
    }
    let failure = exit::report(error);
    match error {
        InitError::Kafka(KafkaError::Setting { .. }) | InitError::Unreadable(_) | InitError::Setting(_) => {
            ExitCode::from(exit::WRONG_SETTING)
        }
        InitError::Kafka(_) => failure,
    }
}

/// As the [Runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) takes it.
async fn post(error: &InitError) -> Result<(), BoxError> {
    const TYPE: &str = "Runtime.InitError";
    let body = serde_json::json!({"errorType": TYPE, "errorMessage": error.to_string(), "stackTrace": []});
    let request: Request<Body> = build_request()
        .method("POST")
        .uri("/2018-06-01/runtime/init/error")
        .header("lambda-runtime-function-error-type", TYPE)
        .body(Body::from(body.to_string()))?;
    PooledClient::builder().build().call(request).await?;
    Ok(())
}
