//! A folder or a bucket, for files.

use std::fs;
use std::path::PathBuf;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use thiserror::Error;

/// Where files go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket of S3, or of what speaks its protocol. Credentials, region and endpoint are those of the environment, as
    /// AWS's own programs find them.
    Bucket {
        /// Its name.
        name: String,
        /// What the objects' keys begin with; empty for the bucket's top.
        prefix: String,
    },
}

/// Why a destination cannot be used.
#[derive(Debug, Error)]
pub(crate) enum DestinationError {
    #[error("cannot make the folder {}: {source}", folder.display())]
    Folder { folder: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Store(#[from] object_store::Error),
    #[error("{prefix:?} cannot begin the key of an object: {source}")]
    Prefix { prefix: String, source: object_store::path::Error },
    #[cfg(not(feature = "s3"))]
    #[error("this program was built without buckets (cargo feature `s3`)")]
    NoBuckets,
}

/// Reads a destination: `s3://BUCKET/PREFIX`, or a folder.
pub(crate) fn parse(text: &str) -> Result<Destination, String> {
    let expected = || "write a folder, or s3://BUCKET/PREFIX".to_owned();
    match text.split_once("://") {
        None if text.is_empty() => Err(expected()),
        None => Ok(Destination::Folder(text.into())),
        Some(("s3", place)) => {
            let (name, prefix) = place.split_once('/').unwrap_or((place, ""));
            let bucket = Destination::Bucket { name: name.to_owned(), prefix: prefix.trim_matches('/').to_owned() };
            if name.is_empty() { Err(expected()) } else { Ok(bucket) }
        }
        Some(_) => Err(expected()),
    }
}

impl Destination {
    /// The store of its objects, and the prefix of their keys. A folder is made where it is missing.
    pub(crate) fn open(&self) -> Result<(Box<dyn ObjectStore>, Path), DestinationError> {
        match self {
            Self::Folder(folder) => {
                let failed = |source| DestinationError::Folder { folder: folder.clone(), source };
                fs::create_dir_all(folder).map_err(failed)?;
                // What counts as written is on the disk.
                let store = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
                Ok((Box::new(store), Path::default()))
            }
            Self::Bucket { name, prefix } => {
                let invalid = |source| DestinationError::Prefix { prefix: prefix.clone(), source };
                Ok((bucket(name)?, Path::parse(prefix).map_err(invalid)?))
            }
        }
    }
}

#[cfg(feature = "s3")]
fn bucket(name: &str) -> Result<Box<dyn ObjectStore>, DestinationError> {
    use object_store::RetryConfig;
    use object_store::aws::AmazonS3Builder;

    // The S3 client takes whichever provider the process has; a second one changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // The consumer runtime tries again by itself, and says so.
    let retry = RetryConfig { max_retries: 1, ..RetryConfig::default() };
    Ok(Box::new(AmazonS3Builder::from_env().with_bucket_name(name).with_retry(retry).build()?))
}

#[cfg(not(feature = "s3"))]
fn bucket(_name: &str) -> Result<Box<dyn ObjectStore>, DestinationError> {
    Err(DestinationError::NoBuckets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_a_folder_or_a_bucket() {
        let bucket =
            |name: &str, prefix: &str| Destination::Bucket { name: name.to_owned(), prefix: prefix.to_owned() };
        for (text, expected) in [
            (".millrace", Destination::Folder(".millrace".into())),
            ("/var/lib/a:b", Destination::Folder("/var/lib/a:b".into())),
            ("s3://lake", bucket("lake", "")),
            ("s3://lake/", bucket("lake", "")),
            ("s3://lake/logins/2026/", bucket("lake", "logins/2026")),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        for wrong in ["", "s3://", "s3:///logins", "gs://lake/logins", "file:///tmp"] {
            assert_eq!(parse(wrong), Err("write a folder, or s3://BUCKET/PREFIX".to_owned()), "{wrong}");
        }
    }
}
