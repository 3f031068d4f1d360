//! Objects in a folder or a bucket: where consumers and stages write and read what is kept as files.

mod location;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use thiserror::Error;

pub use location::Location;

/// How long writing an object may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// The objects of a location.
#[derive(Debug)]
pub struct Objects {
    store: Box<dyn ObjectStore>,
    prefix: Path,
}

/// Why a location cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The folder cannot be made.
    #[error("cannot create the folder {}: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The object store's client refuses its settings.
    #[error(transparent)]
    Store(#[from] object_store::Error),
    /// The prefix cannot be part of a key.
    #[error("invalid key prefix {prefix:?}: {source}")]
    Prefix {
        /// The prefix.
        prefix: String,
        /// Why not.
        source: object_store::path::Error,
    },
    /// Buckets need the cargo feature `s3`.
    #[cfg(not(feature = "s3"))]
    #[error("S3 is not in this build (cargo feature `s3`)")]
    S3Disabled,
}

/// Why an object was not written.
#[derive(Debug, Error)]
pub enum PutError {
    /// The store refused it, or cannot be reached.
    #[error(transparent)]
    Store(#[from] object_store::Error),
    /// There was no answer in time; the object may have been written.
    #[error("writing {path} timed out after {} s", WRITE_TIMEOUT.as_secs())]
    Timeout {
        /// The object's path.
        path: Path,
    },
}

impl Objects {
    /// Opens a location. A missing folder is made.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(location: &Location) -> Result<Self, OpenError> {
        match location {
            Location::Folder(folder) => {
                let failed = |source| OpenError::Folder { folder: folder.clone(), source };
                fs::create_dir_all(folder).map_err(failed)?;
                // A write is durable before it is acknowledged.
                let store = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
                Ok(Self { store: Box::new(store), prefix: Path::default() })
            }
            Location::Bucket { name, prefix } => {
                let invalid = |source| OpenError::Prefix { prefix: prefix.clone(), source };
                Ok(Self { store: bucket(name)?, prefix: Path::parse(prefix).map_err(invalid)? })
            }
        }
    }

    /// Writes an object, whole or not at all. `path` is its place below the location, with `/` between folders.
    ///
    /// # Errors
    /// [`PutError`].
    pub async fn put(&self, path: &str, content: Bytes) -> Result<(), PutError> {
        let path: Path = self.prefix.parts().chain(Path::from(path).parts()).collect();
        let put = self.store.put(&path, content.into());
        match tokio::time::timeout(WRITE_TIMEOUT, put).await {
            Ok(written) => Ok(written.map(drop)?),
            Err(_) => Err(PutError::Timeout { path }),
        }
    }
}

#[cfg(feature = "s3")]
fn bucket(name: &str) -> Result<Box<dyn ObjectStore>, OpenError> {
    use object_store::RetryConfig;
    use object_store::aws::AmazonS3Builder;

    // The S3 client uses the process's default provider; it fails where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Callers retry, and log it.
    let retry = RetryConfig { max_retries: 1, ..RetryConfig::default() };
    Ok(Box::new(AmazonS3Builder::from_env().with_bucket_name(name).with_retry(retry).build()?))
}

#[cfg(not(feature = "s3"))]
fn bucket(_name: &str) -> Result<Box<dyn ObjectStore>, OpenError> {
    Err(OpenError::S3Disabled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_object_is_replaced_by_one_of_its_name() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let objects = Objects::open(&Location::Folder(folder.path().join("made")))?;
        for content in ["first", "second"] {
            objects.put("raw/2026/01/a-0.jsonl", content.into()).await?;
        }
        assert_eq!(fs::read_to_string(folder.path().join("made/raw/2026/01/a-0.jsonl"))?, "second");
        Ok(())
    }
}
