//! `manifest.json`: the artifacts that Terraform deploys.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// The file's name, in the folder of the artifacts.
const FILE: &str = "manifest.json";

/// The artifacts of the last packaging.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The version of the workspace.
    pub(crate) version: String,
    /// Zips, by function and architecture.
    pub(crate) functions: BTreeMap<String, BTreeMap<String, Artifact>>,
}

/// A zip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Artifact {
    /// Its path, from the manifest's folder.
    pub(crate) file: String,
    /// Its SHA-256, as hexadecimal digits.
    pub(crate) sha256: String,
    /// Its size.
    pub(crate) bytes: u64,
}

impl Artifact {
    /// The artifact with these bytes. Its name has its sum in it, so that older ones stay beside it, for a rollback.
    pub(crate) fn named(program: &str, architecture: &str, sha256: String, bytes: u64) -> Self {
        /// As many digits as Terraform looks for.
        const DIGITS: usize = 16;
        let file = format!("functions/{program}-{architecture}-{}.zip", &sha256[..DIGITS]);
        Self { file, sha256, bytes }
    }
}

impl Manifest {
    /// The manifest in a folder; an empty one where there is none yet.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| format!("{} is no manifest", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes it, whole.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let (path, new) = (folder.join(FILE), folder.join("manifest.json.new"));
        let text = serde_json::to_string_pretty(self)? + "\n";
        let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &path));
        written.with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::read(folder.path()).unwrap(), Manifest::default());
        let artifact = Artifact::named("millrace-api", "arm64", "ab".repeat(32), 7);
        assert_eq!(artifact.file, "functions/millrace-api-arm64-abababababababab.zip");
        let functions = BTreeMap::from([("api".to_owned(), BTreeMap::from([("arm64".to_owned(), artifact)]))]);
        let manifest = Manifest { version: "0.1.0".to_owned(), functions };
        manifest.write(folder.path()).unwrap();
        assert_eq!(Manifest::read(folder.path()).unwrap(), manifest);
    }

    /// The tests of infra/ have a manifest of their own.
    #[test]
    fn the_manifest_of_terraforms_tests_is_one() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/tests/dist");
        let manifest = Manifest::read(&folder).unwrap();
        for (name, artifacts) in &manifest.functions {
            for (architecture, artifact) in artifacts {
                let bytes = fs::read(folder.join(&artifact.file)).unwrap();
                let sha256 = crate::archive::sha256(&bytes);
                let size = u64::try_from(bytes.len()).unwrap();
                assert_eq!(*artifact, Artifact::named(&format!("millrace-{name}"), architecture, sha256, size));
            }
        }
        assert!(!manifest.functions.is_empty());
    }
}
