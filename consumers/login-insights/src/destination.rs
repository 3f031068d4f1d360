//! The files' destination: a folder or a bucket.

use std::fs;
use std::path::PathBuf;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use thiserror::Error;

/// Where files are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A local folder.
    Folder(PathBuf),
    /// An S3 bucket, or an S3-compatible one. Credentials, region and endpoint come from the environment, as for every AWS
    /// client.
    Bucket {
        /// Its name.
        name: String,
        /// The prefix of the objects' keys; may be empty.
        prefix: String,
    },
}

/// Why a destination cannot be opened.
#[derive(Debug, Error)]
pub(crate) enum DestinationError {
    #[error("cannot create the folder {}: {source}", folder.display())]
    Folder { folder: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Store(#[from] object_store::Error),
    #[error("invalid key prefix {prefix:?}: {source}")]
    Prefix { prefix: String, source: object_store::path::Error },
    #[cfg(not(feature = "s3"))]
    #[error("S3 is not in this build (cargo feature `s3`)")]
    S3Disabled,
}

/// Parses a destination: `s3://BUCKET/PREFIX`, or a folder.
pub(crate) fn parse(text: &str) -> Result<Destination, String> {
    let expected = || "expected a folder, or s3://BUCKET/PREFIX".to_owned();
    match text.split_once("://") {
        None if text.is_empty() => Err(expected()),
        None => Ok(Destination::Folder(text.into())),
        Some(("s3", path)) => {
            let (name, prefix) = path.split_once('/').unwrap_or((path, ""));
            let bucket = Destination::Bucket { name: name.to_owned(), prefix: prefix.trim_matches('/').to_owned() };
            if name.is_empty() { Err(expected()) } else { Ok(bucket) }
        }
        Some(_) => Err(expected()),
    }
}

impl Destination {
    /// Opens the object store, and returns the prefix of keys. A missing folder is created.
    pub(crate) fn open(&self) -> Result<(Box<dyn ObjectStore>, Path), DestinationError> {
        match self {
            Self::Folder(folder) => {
                let failed = |source| DestinationError::Folder { folder: folder.clone(), source };
                fs::create_dir_all(folder).map_err(failed)?;
                // A write is durable before it is acknowledged.
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

    // The S3 client uses the process's default provider; it fails where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // The consumer runtime retries, and logs it.
    let retry = RetryConfig { max_retries: 1, ..RetryConfig::default() };
    Ok(Box::new(AmazonS3Builder::from_env().with_bucket_name(name).with_retry(retry).build()?))
}

#[cfg(not(feature = "s3"))]
fn bucket(_name: &str) -> Result<Box<dyn ObjectStore>, DestinationError> {
    Err(DestinationError::S3Disabled)
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
            assert_eq!(parse(wrong), Err("expected a folder, or s3://BUCKET/PREFIX".to_owned()), "{wrong}");
        }
    }
}
