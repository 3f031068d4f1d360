//! Sources of a setting: its value in the file, or an environment variable that the file names.

use std::ffi::OsString;

use super::error::ConfigProblem;

/// Looks up environment variables.
pub(super) type Environment<'e> = &'e dyn Fn(&str) -> Option<OsString>;

/// The value of the setting `name`, given directly or by its `…_env`; `None` where neither is set.
pub(super) fn optional(
    key: &str,
    name: &str,
    given: Option<String>,
    variable: Option<String>,
    environment: Environment<'_>,
) -> Result<Option<String>, ConfigProblem> {
    match (given, variable) {
        (Some(_), Some(_)) => {
            Err(ConfigProblem::at(format!("{key}.{name}"), format!("cannot be given together with {name}_env")))
        }
        (Some(value), None) => Ok(Some(value)),
        (None, Some(variable)) => look_up(&format!("{key}.{name}_env"), &variable, environment).map(Some),
        (None, None) => Ok(None),
    }
}

/// As [`optional`], for a required setting.
pub(super) fn required(
    key: &str,
    name: &str,
    given: Option<String>,
    variable: Option<String>,
    environment: Environment<'_>,
) -> Result<String, ConfigProblem> {
    let value = optional(key, name, given, variable, environment)?;
    value.ok_or_else(|| ConfigProblem::at(format!("{key}.{name}"), format!("is missing ({name} or {name}_env)")))
}

/// The value of an environment variable. An empty one counts as unset.
pub(super) fn look_up(key: &str, variable: &str, environment: Environment<'_>) -> Result<String, ConfigProblem> {
    let value = environment(variable).filter(|value| !value.is_empty());
    let problem = |problem| ConfigProblem::at(key, format!("the environment variable {variable} {problem}"));
    let value = value.ok_or_else(|| problem("is not set"))?;
    value.into_string().map_err(|_| problem("is not UTF-8"))
}
