//! What Millrace's Lambda functions share: settings from variables, logs, and errors of init.
//!
//! A function has no command line. Its settings are the variables of the same flags that other programs have.

mod init_error;
mod kafka;
mod logs;
#[cfg(feature = "queue")]
pub mod queue;
mod run;
mod settings;
#[cfg(feature = "stages")]
pub mod stage;

pub use init_error::{InitError, report};
pub use kafka::KafkaArgs;
pub use logs::{install_logs, invocation_span};
pub use run::{failed, run};
pub use settings::read;
