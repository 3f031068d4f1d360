//! The environment that settings are read from.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};

/// Environment variables by name. An empty variable counts as not set.
///
/// Not `Debug`: values may be secret.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// The environment of this process. Names that are not UTF-8 cannot be settings and are ignored.
    pub fn of_process() -> Self {
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect()
    }

    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(name).map(OsString::as_os_str)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn only(&self, names: &BTreeSet<String>) -> Self {
        let mut left = self.clone();
        left.0.retain(|name, _| names.contains(name));
        left
    }

    pub(super) fn without(&self, name: &str) -> Self {
        let mut left = self.clone();
        left.0.remove(name);
        left
    }
}

impl<N: Into<String>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .filter(|(_, value)| !value.is_empty())
                .collect(),
        )
    }
}
