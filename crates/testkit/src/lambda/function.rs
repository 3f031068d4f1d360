//! What is deployed, and the pool of environments that it runs in.

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
    pub(super) time_out: Duration,
    pub(super) concurrency: usize,
    pub(super) freezes: bool,
    environments: usize,
}

impl Function {
    /// A binary with 256 MB, 20 s, and up to 8 environments.
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            variables: Vec::new(),
            memory: 256,
            time_out: Duration::from_secs(20),
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

    /// The memory in MB. The process is told, not limited.
    #[must_use]
    pub fn memory(mut self, megabytes: u32) -> Self {
        self.memory = megabytes;
        self
    }

    /// How long one invocation may take before its environment is killed.
    #[must_use]
    pub fn time_out(mut self, time_out: Duration) -> Self {
        self.time_out = time_out;
        self
    }

    /// How many environments there may be at once.
    #[must_use]
    pub fn environments(mut self, most: usize) -> Self {
        self.environments = most;
        self
    }

    /// How many invocations one environment serves at once. Those that serve more than one are not frozen.
    #[must_use]
    pub fn concurrency(mut self, most: usize) -> Self {
        self.concurrency = most;
        self.freezes = most == 1;
        self
    }

    /// Leaves idle environments running.
    #[must_use]
    pub fn never_frozen(mut self) -> Self {
        self.freezes = false;
        self
    }

    /// The function, ready to be invoked. Environments start with the invocations that need them.
    pub fn deploy(self) -> Lambda {
        let room = Arc::new(Semaphore::new(self.environments * self.concurrency));
        Lambda(Arc::new(Deployed { function: self, room, environments: Mutex::default() }))
    }
}

/// A deployed function. Clones share its environments, which end with the last of them.
#[derive(Clone)]
pub struct Lambda(Arc<Deployed>);

struct Deployed {
    function: Function,
    room: Arc<Semaphore>,
    environments: Mutex<Vec<Arc<Environment>>>,
}

impl Lambda {
    /// Invokes the function and waits for its answer: in an environment that is free, else in a new one, else in the
    /// next one that is.
    ///
    /// A caller who goes away does not end the invocation.
    ///
    /// # Panics
    /// Where no process can be started.
    pub async fn invoke(&self, event: &Value) -> Result<Bytes, Failure> {
        let room = Arc::clone(&self.0.room).acquire_owned().await.unwrap_or_else(|closed| panic!("{closed}"));
        let (lease, time_out) = (self.lease(), self.0.function.time_out);
        let event = Bytes::from(event.to_string());
        let invocation = tokio::spawn(async move {
            let answer = lease.invoke(event, time_out).await;
            drop((lease, room));
            answer
        });
        invocation.await.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()))
    }

    /// The environments that are alive, the oldest first.
    pub fn environments(&self) -> Vec<Arc<Environment>> {
        let mut environments = self.0.environments.lock().unwrap_or_else(PoisonError::into_inner);
        environments.retain(|environment| environment.is_alive());
        environments.clone()
    }

    /// There is room: somebody who holds it came here first.
    fn lease(&self) -> Lease {
        let mut environments = self.0.environments.lock().unwrap_or_else(PoisonError::into_inner);
        environments.retain(|environment| environment.is_alive());
        if let Some(lease) = environments.iter().find_map(Environment::lease) {
            return lease;
        }
        let function = &self.0.function;
        let environment = Environment::start(function)
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", function.binary.display()));
        environments.push(Arc::clone(&environment));
        Environment::lease(&environment).unwrap_or_else(|| panic!("a new environment is not free"))
    }
}

impl fmt::Debug for Lambda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lambda").field("function", &self.0.function).finish_non_exhaustive()
    }
}
