//! A value from files, read again when they change.

use std::fmt::Display;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

/// How often the files, which are small, are looked at. That takes microseconds.
const INTERVAL: Duration = Duration::from_secs(1);

/// The value as it is now.
#[derive(Debug)]
pub struct Reloaded<T>(watch::Receiver<Arc<T>>);

impl<T> Reloaded<T> {
    /// A value that never changes.
    #[must_use]
    pub fn fixed(value: T) -> Self {
        Self(watch::channel(Arc::new(value)).1)
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.borrow())
    }
}

impl<T> Clone for Reloaded<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Loads a value, and again whenever one of its files has changed. Where that fails, the last one stays, and the failure is
/// logged.
///
/// # Errors
/// The first load's.
pub fn reloaded<T, E>(files: Vec<PathBuf>, load: impl Fn() -> Result<T, E> + Send + 'static) -> Result<Reloaded<T>, E>
where
    T: Send + Sync + 'static,
    E: Display + Send,
{
    let mut seen = digests(&files);
    let (sender, receiver) = watch::channel(Arc::new(load()?));
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(INTERVAL);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = sender.closed() => return,
            }
            let now = digests(&files);
            if now == seen {
                continue;
            }
            seen = now;
            let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
            match load() {
                Ok(value) => {
                    tracing::info!(files = names.join(", "), "read again");
                    sender.send_replace(Arc::new(value));
                }
                Err(error) => {
                    tracing::error!(files = names.join(", "), %error, "changed, and not taken: the last one stays in use");
                }
            }
        }
    });
    Ok(Reloaded(receiver))
}

/// As [`reloaded`], for what is fetched: again after each interval. `first` is what was fetched at the start.
#[cfg(feature = "jwt")]
pub fn fetched_again<T, E, F>(first: T, interval: Duration, fetch: impl Fn() -> F + Send + 'static) -> Reloaded<T>
where
    T: Send + Sync + 'static,
    E: Display + Send,
    F: Future<Output = Result<T, E>> + Send,
{
    let (sender, receiver) = watch::channel(Arc::new(first));
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = sender.closed() => return,
            }
            match fetch().await {
                Ok(value) => drop(sender.send_replace(Arc::new(value))),
                Err(error) => tracing::error!(%error, "not fetched: the last one stays in use"),
            }
        }
    });
    Reloaded(receiver)
}

/// A digest of each file's content, since deployments replace a file by one of the same size and time; none where it cannot be
/// read, as while it is being replaced, or is no regular file: a pipe is read once, by who needs it.
fn digests(files: &[PathBuf]) -> Vec<Option<[u8; 32]>> {
    let content = |file: &PathBuf| if file.is_file() { fs::read(file).ok() } else { None };
    files.iter().map(|file| content(file).map(|content| Sha256::digest(content).into())).collect()
}

#[cfg(test)]
mod tests {
    use millrace_testkit::eventually;

    use super::*;

    #[tokio::test]
    async fn a_changed_file_is_read_again_and_a_wrong_one_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("number");
        fs::write(&file, "1").unwrap();
        let (read, number) = (file.clone(), std::sync::atomic::AtomicUsize::new(0));
        let loads = Arc::new(number);
        let counted = Arc::clone(&loads);
        let load = move || {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            fs::read_to_string(&read).unwrap().parse::<u32>()
        };
        let value = reloaded(vec![file.clone()], load).unwrap();
        assert_eq!(*value.get(), 1);

        let bound = Duration::from_secs(20);
        fs::write(&file, "22").unwrap();
        eventually(bound, "it is read again", async || (*value.get() == 22).then_some(())).await;
        fs::write(&file, "none").unwrap();
        let tried = async || (loads.load(std::sync::atomic::Ordering::Relaxed) == 3).then_some(());
        eventually(bound, "a wrong one is tried", tried).await;
        assert_eq!(*value.get(), 22);
        fs::write(&file, "333").unwrap();
        eventually(bound, "a right one is taken again", async || (*value.get() == 333).then_some(())).await;

        // Of the same size and time.
        let modified = fs::metadata(&file).unwrap().modified().unwrap();
        fs::write(&file, "444").unwrap();
        fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
        eventually(bound, "another content is seen", async || (*value.get() == 444).then_some(())).await;
    }

    #[tokio::test]
    async fn the_first_load_must_succeed() {
        assert!(reloaded(Vec::new(), || "x".parse::<u32>()).is_err());
    }
}
