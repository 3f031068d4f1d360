//! What an object became: `stages/clean/NAME.json`.
//!
//! It is written before the object's files are, and again once they are there: so that a run that ends in between, or one for
//! another content under the same path, leaves no file that nobody knows of.

use std::collections::BTreeSet;

use millrace_lake::Report;
use millrace_objects::{GetError, Objects};
use serde::{Deserialize, Serialize};

use crate::error::StageError;

/// What a raw object became.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The first part of the names of the files.
    pub name: String,
    /// The object's path in the lake.
    pub object: String,
    /// The version of its content that was cleaned; `None` while files are being replaced.
    pub version: Option<String>,
    /// The files that it became, relative to the lake; while they are being replaced, also those that were there before.
    pub files: BTreeSet<String>,
    /// What became of its lines.
    pub report: Report,
    /// Why it was not read to its end, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
}

impl Manifest {
    /// The path of the manifest of a source whose files have this name.
    pub(crate) fn path(name: &str) -> String {
        format!("stages/clean/{name}.json")
    }

    /// Reads a manifest; `None` where there is none. One that cannot be understood counts as none.
    pub(crate) async fn read(objects: &Objects, path: &str) -> Result<Option<Self>, StageError> {
        match objects.read(path).await {
            Ok(text) => Ok(serde_json::from_slice(&text.bytes).ok()),
            Err(GetError::Missing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn write(&self, objects: &Objects, path: &str) -> Result<(), StageError> {
        let text = serde_json::to_vec(self).map_err(|error| StageError::Local(error.to_string()))?;
        Ok(objects.put(path, text.into()).await?)
    }
}
