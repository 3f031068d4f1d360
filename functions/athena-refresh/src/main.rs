//! The function's process: one per execution environment.

use std::process::ExitCode;

use millrace_athena_refresh::{Context, Settings, handle};
use millrace_lambda::InitError;

#[tokio::main]
async fn main() -> ExitCode {
    millrace_lambda::run(init, handle).await
}

async fn init() -> Result<Context, InitError> {
    let settings: Settings = millrace_lambda::read()?;
    millrace_lambda::install_logs(&settings.lake.logs);
    Context::new(settings).await
}
