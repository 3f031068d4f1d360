//! Objects in a folder or a bucket: where consumers and stages write and read what is kept as files.

mod location;
mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::future::ready;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, UpdateVersion, WriteMultipart};
use thiserror::Error;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Mutex;

pub use location::Location;
pub use reader::{Listed, Object, ObjectReader};

/// How long writing an object may take, or a part of it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long the store may take to answer a call that reads or deletes.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// The size of a part of an upload, and of what is uploaded without parts.
const PART_BYTES: usize = 8 << 20;

/// How many parts of an upload are under way.
const PARTS_AT_ONCE: usize = 2;

/// The objects of a location.
#[derive(Debug)]
pub struct Objects {
    store: Box<dyn ObjectStore>,
    prefix: Path,
    /// A folder compares no versions: here writers wait for each other that do.
    writers: Option<Mutex<()>>,
}

/// The content of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Tells it from what was and will be under its path.
    pub version: String,
    /// The bytes.
    pub bytes: Bytes,
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

/// Whether this build reads and writes buckets (cargo feature `s3`).
pub const HAS_S3: bool = cfg!(feature = "s3");

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
    /// The file that is its content cannot be read.
    #[error("cannot read what is to be {path}: {source}")]
    File {
        /// The object's path.
        path: Path,
        /// Why not.
        source: io::Error,
    },
}

/// Why an object was not read.
#[derive(Debug, Error)]
pub enum GetError {
    /// There is none of this path.
    #[error("there is no object {path}")]
    Missing {
        /// The path.
        path: String,
    },
    /// The path is none that this client can name, such as one with an empty folder.
    #[error("the object {path:?} cannot be read under this name: {source}")]
    Name {
        /// The path.
        path: String,
        /// Why not.
        source: object_store::path::Error,
    },
    /// The store refused it, or cannot be reached.
    #[error("{path}: {source}")]
    Store {
        /// The path.
        path: String,
        /// Why not.
        source: object_store::Error,
    },
    /// There was no answer in time.
    #[error("{path}: no answer within {} s", READ_TIMEOUT.as_secs())]
    Timeout {
        /// The path.
        path: String,
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
                Ok(Self { store: Box::new(store), prefix: Path::default(), writers: Some(Mutex::default()) })
            }
            Location::Bucket { name, prefix } => {
                let invalid = |source| OpenError::Prefix { prefix: prefix.clone(), source };
                Ok(Self { store: bucket(name)?, prefix: Path::parse(prefix).map_err(invalid)?, writers: None })
            }
        }
    }

    /// Writes an object, whole or not at all. `path` is its place below the location, with `/` between folders.
    ///
    /// # Errors
    /// [`PutError`].
    pub async fn put(&self, path: &str, content: Bytes) -> Result<(), PutError> {
        let path = self.below(&Path::from(path));
        written(&path, self.store.put(&path, content.into())).await.map(drop)
    }

    /// Writes an object, whole, where there is none of its path; false where there is, which stays as it is.
    ///
    /// # Errors
    /// [`PutError`].
    pub async fn create(&self, path: &str, content: Bytes) -> Result<bool, PutError> {
        let path = self.below(&Path::from(path));
        match written(&path, self.store.put_opts(&path, content.into(), PutMode::Create.into())).await {
            Ok(_) => Ok(true),
            Err(PutError::Store(object_store::Error::AlreadyExists { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes an object in the place of one that has this version still, or of none; false where there is another, which stays
    /// as it is. In a folder, only writers of one process wait for each other.
    ///
    /// # Errors
    /// [`PutError`].
    pub async fn replace(&self, path: &str, content: Bytes, version: Option<&str>) -> Result<bool, PutError> {
        let Some(version) = version else { return self.create(path, content).await };
        let path = self.below(&Path::from(path));
        let Some(writers) = &self.writers else {
            let version = UpdateVersion { e_tag: Some(format!("\"{version}\"")), version: None };
            return match written(&path, self.store.put_opts(&path, content.into(), PutMode::Update(version).into()))
                .await
            {
                Ok(_) => Ok(true),
                // Of two writers at the same time S3 answers one with a conflict, which the client calls `AlreadyExists`.
                Err(PutError::Store(
                    object_store::Error::Precondition { .. }
                    | object_store::Error::NotFound { .. }
                    | object_store::Error::AlreadyExists { .. },
                )) => Ok(false),
                Err(error) => Err(error),
            };
        };
        let _only = writers.lock().await;
        match written(&path, self.store.head(&path)).await {
            Ok(found) if reader::version(&found) == version => {}
            Ok(_) | Err(PutError::Store(object_store::Error::NotFound { .. })) => return Ok(false),
            Err(error) => return Err(error),
        }
        written(&path, self.store.put(&path, content.into())).await.map(|_| true)
    }

    /// Writes an object with a file's content, in parts where it is large.
    ///
    /// # Errors
    /// [`PutError`]; the object is as it was before.
    pub async fn put_file(&self, path: &str, file: &std::path::Path) -> Result<(), PutError> {
        let target = self.below(&Path::from(path));
        let unreadable = |source| PutError::File { path: target.clone(), source };
        let mut file = tokio::fs::File::open(file).await.map_err(unreadable)?;
        let size = file.metadata().await.map_err(unreadable)?.len();
        if size <= PART_BYTES as u64 {
            let content = read_part(&mut file).await.map_err(unreadable)?;
            return self.put(path, content).await;
        }
        let mut upload = WriteMultipart::new_with_chunk_size(self.store.put_multipart(&target).await?, PART_BYTES);
        let all: Result<(), PutError> = async {
            loop {
                let part = read_part(&mut file).await.map_err(unreadable)?;
                if part.is_empty() {
                    return Ok(());
                }
                written(&target, upload.wait_for_capacity(PARTS_AT_ONCE)).await?;
                upload.put(part);
            }
        }
        .await;
        match all {
            Ok(()) => written(&target, upload.finish()).await.map(drop),
            Err(error) => {
                // The bucket's lifecycle removes what this does not.
                let _ = upload.abort().await;
                Err(error)
            }
        }
    }

    /// Opens an object to be read. `path` is its key below the location, as the store's events name it.
    ///
    /// # Errors
    /// [`GetError`].
    pub async fn get(&self, path: &str) -> Result<Object, GetError> {
        let key = self.key(path)?;
        Ok(Object::of(within(path, self.store.get(&key)).await?))
    }

    /// The content of a small object.
    ///
    /// # Errors
    /// [`GetError`].
    pub async fn read(&self, path: &str) -> Result<Content, GetError> {
        let key = self.key(path)?;
        let read = async {
            let found = self.store.get(&key).await?;
            let version = reader::version(&found.meta);
            Ok(Content { version, bytes: found.bytes().await? })
        };
        within(path, read).await
    }

    /// The objects in a folder, by their names there. Not those in folders below.
    ///
    /// # Errors
    /// [`GetError`].
    pub async fn list(&self, folder: &str) -> Result<BTreeMap<String, Listed>, GetError> {
        let prefix = self.key(folder)?;
        let listed = within(folder, self.store.list_with_delimiter(Some(&prefix))).await?;
        let name = |meta: &ObjectMeta| meta.location.filename().map(str::to_owned);
        Ok(listed.objects.iter().filter_map(|meta| Some((name(meta)?, Listed::of(meta)))).collect())
    }

    /// The objects below a folder, those in folders below it as well: their paths, and what is listed of each. There may be millions.
    /// The first [`GetError`] ends them.
    pub fn list_below(&self, folder: &str) -> BoxStream<'_, Result<(String, Listed), GetError>> {
        let prefix = match self.key(folder) {
            Ok(prefix) => prefix,
            Err(error) => return stream::once(ready(Err(error))).boxed(),
        };
        let listed = Some((self.store.list(Some(&prefix)), folder.to_owned()));
        stream::unfold(listed, async |listed| {
            let (mut listed, folder) = listed?;
            let next = async { listed.try_next().await };
            match within(&folder, next).await {
                Ok(None) => None,
                Ok(Some(meta)) => Some((Ok((self.above(&meta.location), Listed::of(&meta))), Some((listed, folder)))),
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed()
    }

    /// What tells an object's content from what was and will be under its path, without reading it.
    ///
    /// # Errors
    /// [`GetError`].
    pub async fn version(&self, path: &str) -> Result<String, GetError> {
        let key = self.key(path)?;
        Ok(reader::version(&within(path, self.store.head(&key)).await?))
    }

    /// Deletes an object, or finds that there is none.
    ///
    /// # Errors
    /// [`GetError`].
    pub async fn delete(&self, path: &str) -> Result<(), GetError> {
        let key = self.key(path)?;
        match within(path, self.store.delete(&key)).await {
            Ok(()) | Err(GetError::Missing { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The folders in a folder, by their names there.
    ///
    /// # Errors
    /// [`GetError`].
    pub async fn folders(&self, folder: &str) -> Result<BTreeSet<String>, GetError> {
        let prefix = self.key(folder)?;
        let listed = within(folder, self.store.list_with_delimiter(Some(&prefix))).await?;
        Ok(listed.common_prefixes.iter().filter_map(|folder| folder.filename().map(str::to_owned)).collect())
    }

    fn below(&self, path: &Path) -> Path {
        self.prefix.parts().chain(path.parts()).collect()
    }

    /// A key's path below the location.
    fn above(&self, key: &Path) -> String {
        let parts: Option<Path> = key.prefix_match(&self.prefix).map(Iterator::collect);
        parts.as_ref().unwrap_or(key).to_string()
    }

    fn key(&self, path: &str) -> Result<Path, GetError> {
        let key = Path::parse(path).map_err(|source| GetError::Name { path: path.to_owned(), source })?;
        Ok(self.below(&key))
    }
}

/// Waits until a call has written.
async fn written<T>(path: &Path, call: impl Future<Output = object_store::Result<T>>) -> Result<T, PutError> {
    match tokio::time::timeout(WRITE_TIMEOUT, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(PutError::Timeout { path: path.clone() }),
    }
}

/// Waits for the answer to a call that reads or deletes.
async fn within<T>(path: &str, call: impl Future<Output = object_store::Result<T>>) -> Result<T, GetError> {
    match tokio::time::timeout(READ_TIMEOUT, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(object_store::Error::NotFound { .. })) => Err(GetError::Missing { path: path.to_owned() }),
        Ok(Err(source)) => Err(GetError::Store { path: path.to_owned(), source }),
        Err(_) => Err(GetError::Timeout { path: path.to_owned() }),
    }
}

/// Reads up to a part of a file.
async fn read_part(file: &mut tokio::fs::File) -> io::Result<Bytes> {
    let mut part = Vec::new();
    file.take(PART_BYTES as u64).read_to_end(&mut part).await?;
    Ok(part.into())
}

#[cfg(feature = "s3")]
fn bucket(name: &str) -> Result<Box<dyn ObjectStore>, OpenError> {
    use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
    use object_store::{ClientConfigKey, RetryConfig};

    // The S3 client uses the process's default provider; it fails where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Callers retry, and log it.
    let retry = RetryConfig { max_retries: 1, ..RetryConfig::default() };
    // The client's own time-out is that of a whole body, however well it flows: each call and each block has one here.
    let timeout = AmazonS3ConfigKey::Client(ClientConfigKey::Timeout);
    let builder = AmazonS3Builder::from_env().with_bucket_name(name).with_config(timeout, "1 day");
    Ok(Box::new(builder.with_retry(retry).build()?))
}

#[cfg(not(feature = "s3"))]
fn bucket(_name: &str) -> Result<Box<dyn ObjectStore>, OpenError> {
    Err(OpenError::S3Disabled)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    type Tested = Result<(), Box<dyn std::error::Error>>;

    fn objects() -> Result<(tempfile::TempDir, Objects), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let objects = Objects::open(&Location::Folder(folder.path().join("made")))?;
        Ok((folder, objects))
    }

    async fn text(objects: &Objects, path: &str) -> Result<String, Box<dyn std::error::Error>> {
        let mut object = objects.get(path).await?;
        let text = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            object.reader.read_to_string(&mut text).map(|_| text)
        });
        Ok(text.await??)
    }

    fn names(folder: &std::path::Path) -> io::Result<Vec<String>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    #[tokio::test]
    async fn an_object_is_replaced_by_one_of_its_name() -> Tested {
        let (folder, objects) = objects()?;
        let path = "raw/2026/dt=01/a-0.jsonl";
        let mut versions = Vec::new();
        for content in ["first", "the second"] {
            objects.put(path, content.into()).await?;
            assert_eq!(text(&objects, path).await?, content);
            versions.push(objects.version(path).await?);
        }
        assert_ne!(versions[0], versions[1]);
        assert!(!objects.create(path, "third".into()).await?, "there is one");
        assert!(objects.create("raw/new", "first".into()).await?);
        objects.delete("raw/new").await?;
        assert_eq!(fs::read_to_string(folder.path().join("made").join(path))?, "the second");
        assert_eq!(names(&folder.path().join("made/raw"))?, ["2026"]);
        assert_eq!(names(&folder.path().join("made/raw/2026/dt=01"))?, ["a-0.jsonl"]);
        for _ in 0..2 {
            objects.delete(path).await?;
        }
        assert!(matches!(objects.get(path).await, Err(GetError::Missing { .. })));
        assert!(matches!(objects.get("raw//a").await, Err(GetError::Name { .. })));
        Ok(())
    }

    #[tokio::test]
    async fn an_object_is_replaced_where_it_has_the_version_that_was_read() -> Tested {
        let (_folder, objects) = objects()?;
        let path = "metrics/dt=2026-01-31/hour=1/metrics.parquet";
        assert!(objects.replace(path, "first".into(), None).await?);
        assert!(!objects.replace(path, "other".into(), None).await?, "there is one");
        let first = objects.read(path).await?;
        assert_eq!(&first.bytes[..], b"first");
        assert!(objects.replace(path, "the second".into(), Some(&first.version)).await?);
        assert!(!objects.replace(path, "the other".into(), Some(&first.version)).await?, "it was replaced");
        let second = objects.read(path).await?;
        assert_eq!(&second.bytes[..], b"the second");
        objects.delete(path).await?;
        assert!(!objects.replace(path, "the third".into(), Some(&second.version)).await?, "it is gone");
        assert!(matches!(objects.read(path).await, Err(GetError::Missing { .. })));

        // Of writers that have read the same, one writes.
        objects.put(path, "0".into()).await?;
        let version = objects.version(path).await?;
        let writes = (1..=20).map(|number| objects.replace(path, number.to_string().into(), Some(&version)));
        let written = futures_util::future::try_join_all(writes).await?;
        assert_eq!(written.iter().filter(|is_written| **is_written).count(), 1);
        Ok(())
    }

    #[tokio::test]
    async fn the_objects_in_a_folder_are_listed_with_their_versions() -> Tested {
        let (_folder, objects) = objects()?;
        assert!(objects.list("cleaned/dt=2026-01-31").await?.is_empty());
        for path in
            ["cleaned/hour=1/a.parquet", "cleaned/hour=1/b.parquet", "cleaned/hour=1/below/c", "cleaned/hour=10/d"]
        {
            objects.put(path, path.into()).await?;
        }
        let listed = objects.list("cleaned/hour=1").await?;
        assert_eq!(listed.keys().collect::<Vec<_>>(), ["a.parquet", "b.parquet"]);
        let folders = objects.folders("cleaned").await?;
        assert_eq!(folders.iter().collect::<Vec<_>>(), ["hour=1", "hour=10"]);
        let below = objects.list_below("cleaned/hour=1/").try_collect::<BTreeMap<_, _>>().await?;
        let paths = ["cleaned/hour=1/a.parquet", "cleaned/hour=1/b.parquet", "cleaned/hour=1/below/c"];
        assert_eq!(below.keys().collect::<Vec<_>>(), paths);
        assert_eq!(below[paths[2]].bytes, paths[2].len() as u64);
        assert!(objects.list_below("raw").try_next().await?.is_none());
        assert!(objects.list_below("raw//x").try_next().await.is_err());
        assert!(objects.folders("nowhere").await?.is_empty());
        assert_eq!(listed["a.parquet"].bytes, "cleaned/hour=1/a.parquet".len() as u64);
        assert_eq!(listed["a.parquet"].version, objects.version("cleaned/hour=1/a.parquet").await?);
        Ok(())
    }

    /// Programs of this workspace that are built together share the feature; one that is built by itself may lack it.
    #[cfg(not(feature = "s3"))]
    #[test]
    fn a_bucket_without_the_feature_s3_is_refused() {
        let bucket = Location::Bucket { name: "lake".to_owned(), prefix: String::new() };
        let error = Objects::open(&bucket).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("S3 is not in this build (cargo feature `s3`)"));
    }

    #[tokio::test]
    async fn a_large_file_is_an_object_as_it_is() -> Tested {
        let (folder, objects) = objects()?;
        let file = folder.path().join("large");
        let content = "0123456789abcdefghijk".repeat(1_000_000);
        fs::write(&file, &content)?;
        objects.put_file("large", &file).await?;
        assert!(text(&objects, "large").await? == content);
        Ok(())
    }
}
