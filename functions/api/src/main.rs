//! The function's process: one per execution environment.

use std::process::ExitCode;

use millrace_api::{Context, Settings, init_error, serve};
use millrace_host::exit;
use millrace_host::telemetry::logs;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match init().await {
        Ok(context) => serve(context).await.map_or_else(|error| exit::report(&*error), |()| ExitCode::SUCCESS),
        Err(error) => init_error::report(&error).await,
    }
}

async fn init() -> Result<Context, init_error::InitError> {
    let settings = Settings::read()?;
    logs::install(&settings.logs);
    Context::new(settings).await
}
