//! Where objects are: a folder or a bucket, as users write it.

use std::fmt;
use std::path::PathBuf;

/// A folder or a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
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

impl Location {
    /// Parses a location: `s3://BUCKET/PREFIX`, or a folder.
    ///
    /// # Errors
    /// What is expected instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = || "expected a folder, or s3://BUCKET/PREFIX".to_owned();
        match text.split_once("://") {
            None if text.is_empty() => Err(expected()),
            None => Ok(Self::Folder(text.into())),
            Some(("s3", path)) => {
                let (name, prefix) = path.split_once('/').unwrap_or((path, ""));
                let bucket = Self::Bucket { name: name.to_owned(), prefix: prefix.trim_matches('/').to_owned() };
                if name.is_empty() { Err(expected()) } else { Ok(bucket) }
            }
            Some(_) => Err(expected()),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(formatter),
            Self::Bucket { name, prefix } if prefix.is_empty() => write!(formatter, "s3://{name}"),
            Self::Bucket { name, prefix } => write!(formatter, "s3://{name}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_folder_or_a_bucket() {
        let bucket = |name: &str, prefix: &str| Location::Bucket { name: name.to_owned(), prefix: prefix.to_owned() };
        for (text, expected) in [
            (".millrace", Location::Folder(".millrace".into())),
            ("/var/lib/a:b", Location::Folder("/var/lib/a:b".into())),
            ("s3://lake", bucket("lake", "")),
            ("s3://lake/", bucket("lake", "")),
            ("s3://lake/logins/2026/", bucket("lake", "logins/2026")),
        ] {
            assert_eq!(Location::parse(text).as_ref(), Ok(&expected), "{text}");
            assert_eq!(Location::parse(&expected.to_string()), Ok(expected), "{text}");
        }
        for wrong in ["", "s3://", "s3:///logins", "gs://lake/logins", "file:///tmp"] {
            assert_eq!(Location::parse(wrong), Err("expected a folder, or s3://BUCKET/PREFIX".to_owned()), "{wrong}");
        }
    }
}
