//! The function's process: one per execution environment.

use std::process::ExitCode;

use millrace_api::{Context, Settings, serve};
use millrace_host::exit;
use millrace_lambda::InitError;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match init().await {
        Ok(context) => serve(context).await.map_or_else(|error| exit::report(&*error), |()| ExitCode::SUCCESS),
        Err(error) => millrace_lambda::report(&error).await,
    }
}

async fn init() -> Result<Context, InitError> {
    let settings: Settings = millrace_lambda::read()?;
    millrace_lambda::install_logs(&settings.logs);
    Context::new(settings).await
}
