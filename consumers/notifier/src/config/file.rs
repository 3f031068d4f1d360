//! The file's shape: destinations by name, and a list of routes.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Table;

use super::destination::DestinationPlan;
use super::error::ConfigProblem;
use crate::routes::{Route, Routes, TypePattern};

/// The file as it was written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) destinations: BTreeMap<String, Table>,
    #[serde(default)]
    pub(super) routes: Vec<RouteTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteTable {
    to: Vec<String>,
    users: Option<Vec<String>>,
    types: Option<Vec<String>>,
}

impl File {
    pub(super) fn parse(text: &str) -> Result<Self, ConfigProblem> {
        toml::from_str(text).map_err(|error| ConfigProblem::toml(text, &error))
    }
}

/// The routes, with destinations by their place.
pub(super) fn routes(tables: Vec<RouteTable>, destinations: &[DestinationPlan]) -> Result<Routes, ConfigProblem> {
    if tables.is_empty() {
        return Err(ConfigProblem::at("routes", "there is none, so no notification would go anywhere"));
    }
    let routes = tables.into_iter().enumerate().map(|(index, table)| table.read(index, destinations));
    Ok(Routes::new(routes.collect::<Result<_, _>>()?))
}

impl RouteTable {
    fn read(self, index: usize, destinations: &[DestinationPlan]) -> Result<Route, ConfigProblem> {
        let key = |name: &str| format!("routes[{index}].{name}");
        for (name, is_empty) in [
            ("to", self.to.is_empty()),
            ("users", self.users.as_ref().is_some_and(Vec::is_empty)),
            ("types", self.types.as_ref().is_some_and(Vec::is_empty)),
        ] {
            if is_empty {
                return Err(ConfigProblem::at(key(name), "is empty"));
            }
        }
        let to =
            self.to.iter().map(|name| place(name, destinations).ok_or_else(|| unknown(key("to"), name, destinations)));
        let to = to.collect::<Result<_, _>>()?;
        let types = self.types.map(|types| types.iter().map(|text| TypePattern::parse(text)).collect());
        Ok(Route { users: self.users.map(|users| users.into_iter().collect()), types, to })
    }
}

/// Where the destination of that name stands.
pub(super) fn place(name: &str, destinations: &[DestinationPlan]) -> Option<usize> {
    destinations.iter().position(|destination| destination.name == name)
}

/// The fault that a name is nobody's.
pub(super) fn unknown(key: String, name: &str, destinations: &[DestinationPlan]) -> ConfigProblem {
    let names: Vec<_> = destinations.iter().map(|destination| destination.name.as_str()).collect();
    ConfigProblem::at(key, format!("{name:?} is no destination; there are: {}", names.join(", ")))
}
