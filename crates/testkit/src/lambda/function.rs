//! A function, and the pool of its execution environments.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::Failure;
use super::environment::{Environment, Lease};

/// A function's code and configuration.
#[derive(Clone, Debug)]
pub struct Function {
    pub(super) binary: PathBuf,
    pub(super) variables: Vec<(String, String)>,
    pub(super) memory: u32,
    pub(super) timeout: Duration,
    pub(super) concurrency: usize,
    pub(super) freezes: bool,
    environments: usize,
}

impl Function {
    /// A function with 256 MB, a time-out of 20 s, and up to 8 environments.
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            variables: Vec::new(),
            memory: 256,
            timeout: Duration::from_secs(20),
            concurrency: 1,
            freezes: true,
            environments: 8,
        }
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Sets environment variables, such as a [`Bucket`](crate::Bucket)'s.
    #[must_use]
    pub fn variables<N: AsRef<str>>(self, variables: impl IntoIterator<Item = (N, String)>) -> Self {
        variables.into_iter().fold(self, |function, (name, value)| function.variable(name.as_ref(), value))
    }

    /// The memory in MB: passed to the process, not enforced.
    #[must_use]
    pub fn memory(mut self, megabytes: u32) -> Self {
        self.memory = megabytes;
        self
    }

    /// The time-out of one invocation, after which its environment is killed.
    #[must_use]
    pub fn time_out(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The largest number of environments.
    #[must_use]
    pub fn environments(mut self, most: usize) -> Self {
        self.environments = most;
        self
    }

    /// How many invocations one environment serves concurrently. With more than one it is not frozen.
    #[must_use]
    pub fn concurrency(mut self, most: usize) -> Self {
        self.concurrency = most;
        self.freezes = most == 1;
        self
    }

    /// Does not freeze idle environments.
    #[must_use]
    pub fn never_frozen(mut self) -> Self {
        self.freezes = false;
        self
    }

    /// Deploys the function. Environments start on demand.
    pub fn deploy(self) -> Lambda {
        let permits = Arc::new(Semaphore::new(self.environments * self.concurrency));
        Lambda(Arc::new(Deployed { function: self, permits, environments: Mutex::default() }))
    }
}

/// A deployed function. Clones share its environments, which end with the last of them.
#[derive(Clone)]
pub struct Lambda(Arc<Deployed>);

struct Deployed {
    function: Function,
    permits: Arc<Semaphore>,
    environments: Mutex<Vec<Arc<Environment>>>,
}

impl Lambda {
    /// Invokes the function and waits for its response: in a free environment, else in a new one, else in the next free
    /// one.
    ///
    /// Dropping the future does not end the invocation.
    ///
    /// # Panics
    /// If no process can be started.
    pub async fn invoke(&self, event: &Value) -> Result<Bytes, Failure> {
        let permit = Arc::clone(&self.0.permits).acquire_owned().await.unwrap_or_else(|closed| panic!("{closed}"));
        let (lease, timeout) = (self.lease(), self.0.function.timeout);
        let event = Bytes::from(event.to_string());
        let invocation = tokio::spawn(async move {
            let response = lease.invoke(event, timeout).await;
            drop((lease, permit));
            response
        });
        invocation.await.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()))
    }

    /// The running environments, oldest first.
    pub fn environments(&self) -> Vec<Arc<Environment>> {
        let mut environments = self.0.environments.lock().unwrap_or_else(PoisonError::into_inner);
        environments.retain(|environment| environment.is_alive());
        environments.clone()
    }

    /// A free or new environment. The caller holds a permit, so there is one.
    fn lease(&self) -> Lease {
        let mut environments = self.0.environments.lock().unwrap_or_else(PoisonError::into_inner);
        environments.retain(|environment| environment.is_alive());
        if let Some(lease) = environments.iter().find_map(Environment::lease) {
            return lease;
        }
        let function = &self.0.function;
        let environment = Environment::start(function)
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", function.binary.display()));
        environments.push(Arc::clone(&environment));
        Environment::lease(&environment).unwrap_or_else(|| panic!("a new environment is not free"))
    }
}

impl fmt::Debug for Lambda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lambda").field("function", &self.0.function).finish_non_exhaustive()
    }
}
