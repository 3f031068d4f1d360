//! One table `[destinations.NAME]`: the settings common to all types, and those of its type.

use serde::Deserialize;
use toml::Table;

use super::channel::{ChannelPlan, read};
use super::error::ConfigProblem;
use super::limits::LimitsTable;
use super::source::Environment;
use crate::delivery::Limits;

/// A validated destination.
#[derive(Debug)]
pub(crate) struct DestinationPlan {
    /// Its name.
    pub(crate) name: String,
    /// Its channel.
    pub(crate) channel: ChannelPlan,
    /// The names of its fallbacks.
    pub(super) fallback: Vec<String>,
    /// Its limits.
    pub(crate) limits: Limits,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Common {
    r#type: String,
    #[serde(default)]
    fallback: Vec<String>,
    #[serde(default)]
    limits: LimitsTable,
}

impl DestinationPlan {
    pub(super) fn read(name: String, mut table: Table, environment: Environment<'_>) -> Result<Self, ConfigProblem> {
        let key = format!("destinations.{name}");
        let common: Table =
            ["type", "fallback", "limits"].into_iter().filter_map(|field| table.remove_entry(field)).collect();
        let common: Common = read(common, &key)?;
        let default = if common.r#type == "console" { Limits::local() } else { Limits::default() };
        let limits = common.limits.read(&format!("{key}.limits"), &default)?;
        let channel = ChannelPlan::read(&common.r#type, table, &key, environment)?;
        Ok(Self { name, channel, fallback: common.fallback, limits })
    }
}
