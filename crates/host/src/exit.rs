//! How a process ends: 0 when it did its work, 1 when it failed, 2 when a setting is wrong.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

/// The exit code of a process that failed.
pub const FAILURE: u8 = 1;

/// The exit code of a process that was started with a wrong setting.
pub const WRONG_SETTING: u8 = 2;

/// A setting that was well-formed and still cannot be used: a port in use, a file that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct SettingError {
    /// The setting in the form the user wrote it, as [`Origins::name`](crate::settings::Origins::name) gives it.
    pub setting: String,
    /// What is wrong with it, lowercase and with the value in it.
    pub problem: String,
}

impl SettingError {
    /// `problem` with `setting`.
    pub fn new(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { setting: setting.into(), problem: problem.into() }
    }
}

/// The exit code for `error`: [`WRONG_SETTING`] if it is or comes from a [`SettingError`], else [`FAILURE`].
pub fn code(error: &(dyn Error + 'static)) -> u8 {
    if causes(error).any(<dyn Error>::is::<SettingError>) { WRONG_SETTING } else { FAILURE }
}

/// Writes `error` and its causes to stderr, on one line, and gives the exit code for it.
pub fn report(error: &(dyn Error + 'static)) -> ExitCode {
    // Where nobody reads stderr any more, the exit code still tells.
    let _ = writeln!(std::io::stderr(), "error: {}", describe(error));
    ExitCode::from(code(error))
}

/// `error` and its causes on one line. A cause that its parent already quotes is not repeated.
pub fn describe(error: &(dyn Error + 'static)) -> String {
    causes(error).fold(String::new(), |line, cause| {
        let text = cause.to_string();
        if line.is_empty() {
            text
        } else if line.ends_with(&text) {
            line
        } else {
            format!("{line}: {text}")
        }
    })
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot start")]
    struct Quiet(#[source] SettingError);

    #[derive(Debug, thiserror::Error)]
    #[error("cannot start: {0}")]
    struct Quoting(#[source] SettingError);

    #[test]
    fn a_setting_error_anywhere_in_the_chain_exits_with_2() {
        let wrong = || SettingError::new("MILLRACE_LISTEN", "port 80 is in use");
        assert_eq!(code(&wrong()), 2);
        assert_eq!(code(&Quiet(wrong())), 2);
        assert_eq!(code(&std::io::Error::other("broken pipe")), 1);
    }

    #[test]
    fn causes_are_told_once() {
        let wrong = || SettingError::new("--listen", "port 80 is in use");
        let expected = "cannot start: --listen: port 80 is in use";
        assert_eq!(describe(&Quiet(wrong())), expected);
        assert_eq!(describe(&Quoting(wrong())), expected);
    }
}
