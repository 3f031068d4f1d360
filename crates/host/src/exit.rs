//! Exit codes: 0 for success, 1 for a failure, 2 for a wrong setting.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use crate::settings;

/// Exit code of a failure.
pub const FAILURE: u8 = 1;

/// Exit code of a wrong setting.
pub const WRONG_SETTING: u8 = 2;

/// A well-formed setting that cannot be used: a port in use, a missing file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct SettingError {
    /// The setting, by its flag and its variable.
    pub setting: String,
    /// What is wrong with it, lowercase and with the value in it.
    pub problem: String,
}

impl SettingError {
    /// `problem` with `setting`.
    pub fn new(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { setting: setting.into(), problem: problem.into() }
    }

    /// `problem` with the setting of `flag` (`listen` for `--listen`).
    pub fn of_flag(flag: &str, problem: impl Into<String>) -> Self {
        Self::new(settings::name(flag), problem)
    }

    /// Refuses empty variables of these flags. An empty variable counts as not set, which is no safe default for what
    /// protects something.
    ///
    /// # Errors
    /// The first that is empty.
    pub fn refuse_empty(flags: &[&str]) -> Result<(), Self> {
        let is_empty = |flag: &&&str| std::env::var_os(settings::variable(flag)).is_some_and(|value| value.is_empty());
        match flags.iter().find(is_empty) {
            Some(flag) => Err(Self::of_flag(flag, "is empty: give it a value, or do not set the variable")),
            None => Ok(()),
        }
    }
}

/// The exit code for `error`: [`WRONG_SETTING`] if it is or comes from a [`SettingError`], else [`FAILURE`].
pub fn code(error: &(dyn Error + 'static)) -> u8 {
    if causes(error).any(<dyn Error>::is::<SettingError>) { WRONG_SETTING } else { FAILURE }
}

/// Writes `error` and its causes to stderr, on one line, and gives the exit code for it.
pub fn report(error: &(dyn Error + 'static)) -> ExitCode {
    // With a closed stderr, the exit code still reports it.
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
        let wrong = || SettingError::of_flag("listen", "port 80 is in use");
        assert_eq!(code(&wrong()), 2);
        assert_eq!(code(&Quiet(wrong())), 2);
        assert_eq!(code(&std::io::Error::other("broken pipe")), 1);
    }

    #[test]
    fn causes_are_not_repeated() {
        let wrong = || SettingError::of_flag("listen", "port 80 is in use");
        let expected = "cannot start: --listen (MILLRACE_LISTEN): port 80 is in use";
        assert_eq!(describe(&Quiet(wrong())), expected);
        assert_eq!(describe(&Quoting(wrong())), expected);
    }
}
