//! The file's structure: destinations by name, and a list of routes.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Table;

use super::destination::DestinationPlan;
use super::error::ConfigProblem;
use crate::routes::{Route, Routes, TypePattern};

/// The file as written.
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

/// The routes, with destinations by index.
pub(super) fn routes(tables: Vec<RouteTable>, destinations: &[DestinationPlan]) -> Result<Routes, ConfigProblem> {
    if tables.is_empty() {
        return Err(ConfigProblem::at("routes", "is missing: at least one route is required"));
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
        let to = self
            .to
            .iter()
            .map(|name| index_of(name, destinations).ok_or_else(|| unknown(key("to"), name, destinations)));
        let to = to.collect::<Result<_, _>>()?;
        let types = self.types.map(|types| types.iter().map(|text| TypePattern::parse(text)).collect());
        Ok(Route { users: self.users.map(|users| users.into_iter().collect()), types, to })
    }
}

/// The index of the destination with this name.
pub(super) fn index_of(name: &str, destinations: &[DestinationPlan]) -> Option<usize> {
    destinations.iter().position(|destination| destination.name == name)
}

/// The problem of a name that no destination has.
pub(super) fn unknown(key: String, name: &str, destinations: &[DestinationPlan]) -> ConfigProblem {
    let names: Vec<_> = destinations.iter().map(|destination| destination.name.as_str()).collect();
    ConfigProblem::at(key, format!("unknown destination {name:?}, expected one of: {}", names.join(", ")))
}
