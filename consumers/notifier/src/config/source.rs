//! What a setting may come from: the file, or an environment variable that the file names.

use super::error::ConfigProblem;

/// Where environment variables are looked up.
pub(super) type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// The value of the setting `name`, given as itself or by its `…_env`; `None` where neither is there.
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

/// As [`optional`], for a setting that must be there.
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

/// The value of an environment variable. An empty one counts as not set.
pub(super) fn look_up(key: &str, variable: &str, environment: Environment<'_>) -> Result<String, ConfigProblem> {
    environment(variable)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| ConfigProblem::at(key, format!("the environment variable {variable} is not set")))
}
