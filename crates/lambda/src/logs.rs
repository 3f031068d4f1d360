//! A function's logs: JSON lines with the invocation's request id.

use millrace_host::telemetry::logs::{self, LogFilter, LogSettings};
use tracing::Span;

/// Lambda's level of a function with JSON logs.
const LEVEL_VARIABLE: &str = "AWS_LAMBDA_LOG_LEVEL";

/// Installs the log subscriber. `MILLRACE_LOG` wins over Lambda's own level, which has no levels for parts of the
/// program.
pub fn install_logs(settings: &LogSettings) {
    let level = std::env::var(LEVEL_VARIABLE).ok().and_then(|level| of_lambda(&level));
    logs::install(&LogSettings { log: settings.log.clone().or(level), ..settings.clone() });
}

/// Lambda's levels are TRACE, DEBUG, INFO, WARN, ERROR and FATAL.
fn of_lambda(level: &str) -> Option<LogFilter> {
    let level = if level.eq_ignore_ascii_case("fatal") { "error" } else { level };
    level.to_lowercase().parse().ok()
}

/// A span that gives every line of an invocation its request id, at every level.
pub fn invocation_span(request_id: &str) -> Span {
    tracing::error_span!("invocation", request_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_of_lambda_is_understood() {
        for level in ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"] {
            assert!(of_lambda(level).is_some(), "{level}");
        }
        assert!(of_lambda("LOUD").is_none());
    }
}
