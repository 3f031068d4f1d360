//! The process of a function that takes JSON: init once, then one invocation after the other.

use std::process::ExitCode;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use millrace_host::exit;
use serde_json::Value;
use tracing::Instrument as _;

use crate::{InitError, invocation_span, report};

/// Builds a function's context, and gives it each invocation; returns the process's exit code.
pub async fn run<C>(
    init: impl AsyncFnOnce() -> Result<C, InitError>,
    handle: impl AsyncFn(&C, LambdaEvent<Value>) -> Result<Value, Diagnostic>,
) -> ExitCode {
    // Its future is large, and needed once.
    let context = match Box::pin(init()).await {
        Ok(context) => context,
        Err(error) => return report(&error).await,
    };
    let service = service_fn(|event: LambdaEvent<Value>| {
        let span = invocation_span(&event.context.request_id);
        // Boxed, as handlers' futures nest deeper than the compiler lays out types.
        Box::pin(handle(&context, event)).instrument(span)
    });
    lambda_runtime::run(service).await.map_or_else(|error| exit::report(&*error), |()| ExitCode::SUCCESS)
}

/// The failure of an invocation, by a type for alarms to group by.
pub fn failed(error_type: &str, error_message: String) -> Diagnostic {
    Diagnostic { error_type: error_type.to_owned(), error_message }
}
