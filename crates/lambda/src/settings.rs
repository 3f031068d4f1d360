//! A function's settings: environment variables.

use clap::Parser;
use millrace_host::exit::SettingError;
use millrace_host::settings;

use crate::init_error::InitError;

/// Variables that Lambda sets and its runtime requires.
const LAMBDA_VARIABLES: [&str; 4] = [
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_RUNTIME_API",
];

/// Reads the process's settings. `--help` and `--version` print and exit.
///
/// # Errors
/// [`InitError`] names the invalid or missing variable.
pub fn read<T: Parser>() -> Result<T, InitError> {
    let settings = match settings::try_parse_from(std::env::args_os()) {
        Ok(settings) => settings,
        Err(help) if !help.use_stderr() => help.exit(),
        Err(error) => return Err(error.into()),
    };
    match LAMBDA_VARIABLES.into_iter().find(|name| std::env::var_os(name).is_none()) {
        None => Ok(settings),
        Some(missing) => Err(SettingError::new(missing, "is not set; AWS Lambda sets it").into()),
    }
}
