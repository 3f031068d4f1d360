//! The files of rows of an hour, of which compaction may just be replacing some.
//!
//! Files cannot be replaced by others at once. [`Compaction`] says which ones belong together: `stages/compact/dt=…/hour=H.json` is written
//! before the first of them is, and our own readers see the rows of either the old files or the new ones.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use millrace_objects::{GetError, Listed, Objects};
use serde::{Deserialize, Serialize};

use crate::error::StageError;

/// The beginning of the names of files that compaction makes.
pub(crate) const COMPACTED_PREFIX: &str = "compacted-";

/// How often an hour is listed again whose files change meanwhile.
const LISTINGS: usize = 8;

/// What the latest compaction of an hour made of which files. All files are named as in the hour's folder.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Compaction {
    /// Files that it made.
    pub(crate) made: BTreeSet<String>,
    /// Files whose rows these have, and the version of each.
    pub(crate) replaced: BTreeMap<String, String>,
    /// How many rows the made files have.
    pub(crate) rows: u64,
    /// How many rows were left out, whose id another one has.
    pub(crate) duplicates: u64,
    /// Whether all that it made is there. Until then the made files go if it does not end; from then on the replaced ones go.
    pub(crate) is_written: bool,
    /// Whether the replaced files are gone, and the bus was told.
    pub(crate) is_done: bool,
    /// When it began to write, or to remove what was written.
    pub(crate) begun: Timestamp,
    /// Files that an earlier one made, and that stay.
    pub(crate) kept: BTreeSet<String>,
}

impl Compaction {
    /// Its path, by the folder of the hour's rows.
    pub(crate) fn path(folder: &str) -> String {
        format!("{}.json", folder.replacen("cleaned", "stages/compact", 1))
    }

    /// Reads it and its version, where there is one. One that cannot be understood counts as empty: its files are compacted again.
    pub(crate) async fn read(objects: &Objects, path: &str) -> Result<Option<(Self, String)>, StageError> {
        match objects.read(path).await {
            Ok(content) => Ok(Some((serde_json::from_slice(&content.bytes).unwrap_or_default(), content.version))),
            Err(GetError::Missing { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes it in the place of the one of this version, or of none; false where there is another one.
    pub(crate) async fn replace(
        &self,
        objects: &Objects,
        path: &str,
        version: Option<&str>,
    ) -> Result<bool, StageError> {
        let text = serde_json::to_vec(self).map_err(|error| StageError::Local(error.to_string()))?;
        Ok(objects.replace(path, text.into(), version).await?)
    }

    /// Whether a file was made by compaction, and is all there.
    pub(crate) fn is_compacted(&self, name: &str) -> bool {
        self.kept.contains(name) || self.is_written && self.made.contains(name)
    }

    /// Of the files that are there, those to be replaced that still are as they were.
    pub(crate) fn left_of_replaced(&self, files: &BTreeMap<String, Listed>) -> BTreeSet<String> {
        let is_left = |name: &str, version: &str| files.get(name).is_some_and(|file| file.version == version);
        self.replaced.iter().filter(|(name, version)| is_left(name, version)).map(|(name, _)| name.clone()).collect()
    }

    /// Leaves of all files those that have each row once: the made ones once all of them are there, the replaced ones until then.
    fn choose(&self, files: &mut BTreeMap<String, Listed>) {
        let hidden = if self.is_written || self.made.iter().all(|made| files.contains_key(made)) {
            self.left_of_replaced(files)
        } else {
            self.made.clone()
        };
        files.retain(|name, _| !hidden.contains(name));
    }
}

/// The files of an hour's folder that have its rows, by their names.
///
/// # Errors
/// [`StageError`] where the lake cannot be read.
pub(crate) async fn row_files(objects: &Objects, folder: &str) -> Result<BTreeMap<String, Listed>, StageError> {
    let path = Compaction::path(folder);
    let mut before = Compaction::read(objects, &path).await?;
    for _ in 0..LISTINGS {
        let mut files = all_row_files(objects, folder).await?;
        // A listing of what changes meanwhile belongs to neither state.
        let after = Compaction::read(objects, &path).await?;
        if before == after {
            if let Some((compaction, _)) = after {
                compaction.choose(&mut files);
            }
            return Ok(files);
        }
        before = after;
    }
    Err(StageError::S3Unavailable(format!("{path} changed whenever {folder} was listed")))
}

/// All files of rows in an hour's folder, by their names.
pub(crate) async fn all_row_files(objects: &Objects, folder: &str) -> Result<BTreeMap<String, Listed>, StageError> {
    let mut files = objects.list(folder).await?;
    files.retain(|name, _| is_rows(name));
    Ok(files)
}

/// Whether a file in the folder of an hour has rows. One that is being written has a name with a dot before.
pub(crate) fn is_rows(name: &str) -> bool {
    name.ends_with(".parquet") && !name.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> BTreeMap<String, Listed> {
        let file = |name: &&str| {
            ((*name).to_owned(), Listed { version: format!("{name}1"), bytes: 1, written: Timestamp::UNIX_EPOCH })
        };
        names.iter().map(file).collect()
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Whatever of a compaction is done when it is looked at, each row is seen once.
    #[test]
    fn either_the_old_files_are_seen_or_the_new_ones() {
        let compaction = Compaction {
            made: names(&["m", "n"]),
            replaced: [("a", "a1"), ("b", "b1")].map(|(name, version)| (name.to_owned(), version.to_owned())).into(),
            kept: names(&["k"]),
            ..Compaction::default()
        };
        for (there, seen) in [
            (&["a", "b", "k", "z"][..], &["a", "b", "k", "z"][..]),
            (&["a", "b", "k", "m", "z"], &["a", "b", "k", "z"]),
            (&["a", "b", "k", "m", "n", "z"], &["k", "m", "n", "z"]),
            (&["b", "k", "m", "n", "z"], &["k", "m", "n", "z"]),
            (&["k", "m", "n", "z"], &["k", "m", "n", "z"]),
        ] {
            let mut found = files(there);
            compaction.choose(&mut found);
            assert_eq!(found.into_keys().collect::<Vec<_>>(), seen, "{there:?}");
        }
        // Of a compaction that is written a made file may have been removed by hand: the others have their rows.
        let written = Compaction { is_written: true, ..compaction.clone() };
        let mut found = files(&["b", "k", "m"]);
        written.choose(&mut found);
        assert_eq!(found.into_keys().collect::<Vec<_>>(), ["k", "m"]);
        // What was written anew under the name is another file.
        let mut found = files(&["a", "m", "n"]);
        found.get_mut("a").unwrap().version = "a2".to_owned();
        compaction.choose(&mut found);
        assert_eq!(found.into_keys().collect::<Vec<_>>(), ["a", "m", "n"]);
    }
}
