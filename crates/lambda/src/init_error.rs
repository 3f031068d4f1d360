//! Init errors, reported to Lambda before the process exits.

use std::process::ExitCode;
use std::time::Duration;

use http::Request;
use lambda_runtime_api_client::body::Body;
use lambda_runtime_api_client::{BoxError, PooledClient, build_request};
use millrace_host::exit::{self, SettingError};
use millrace_host::telemetry::metrics::MetricsError;
use millrace_kafka::KafkaError;

/// Time-out of the report to Lambda.
const REPORT_TIMEOUT: Duration = Duration::from_secs(2);

/// Init failed: Lambda replaces the execution environment.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A variable is not readable.
    #[error("{0}")]
    Unreadable(String),
    /// A variable is missing or invalid.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Metrics cannot be recorded.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The producer cannot be built, or the cluster's bootstrap brokers cannot be read.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
}

impl From<clap::Error> for InitError {
    /// clap's message without its hints, which are about flags.
    fn from(error: clap::Error) -> Self {
        let text = error.to_string();
        let message: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
        let message = message.join(" ");
        Self::Unreadable(message.strip_prefix("error: ").unwrap_or(&message).to_owned())
    }
}

/// Reports the error to the Lambda Runtime API and the log; returns the exit code: 2 for an invalid setting, else 1.
pub async fn report(error: &InitError) -> ExitCode {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some()
        && let Ok(Err(failure)) = tokio::time::timeout(REPORT_TIMEOUT, post(error)).await
    {
        eprintln!("error: reporting the init error to Lambda failed: {failure}");
    }
    let failure = exit::report(error);
    match error {
        InitError::Kafka(KafkaError::Setting { .. }) | InitError::Unreadable(_) | InitError::Setting(_) => {
            ExitCode::from(exit::WRONG_SETTING)
        }
        InitError::Kafka(_) | InitError::Metrics(_) => failure,
    }
}

/// Posts the error to the [Runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
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
