//! The function's process: one per execution environment.

use std::process::ExitCode;

use lambda_runtime::{LambdaEvent, service_fn};
use millrace_alerts::{Context, Settings, handle};
use millrace_host::exit;
use millrace_lambda::InitError;
use serde_json::Value;
use tracing::Instrument as _;

#[tokio::main]
async fn main() -> ExitCode {
    let context = match init().await {
        Ok(context) => context,
        Err(error) => return millrace_lambda::report(&error).await,
    };
    let service = service_fn(|event: LambdaEvent<Value>| {
        let span = millrace_lambda::invocation_span(&event.context.request_id);
        handle(&context, event).instrument(span)
    });
    lambda_runtime::run(service).await.map_or_else(|error| exit::report(&*error), |()| ExitCode::SUCCESS)
}

async fn init() -> Result<Context, InitError> {
    let settings: Settings = millrace_lambda::read()?;
    millrace_lambda::install_logs(&settings.logs);
    Context::new(settings).await
}
