//! The HTTP edge as a Lambda function, behind API Gateway (HTTP and REST APIs) and function URLs.
//!
//! A sandbox builds its [`Context`] once, in init, and [`handle`]s one invocation after the other, or several at once
//! where `AWS_LAMBDA_MAX_CONCURRENCY` says so. Every answer is given before the function's time-out: a function that
//! is cut off tells its caller nothing, not even that the event may have been written.

mod context;
mod deadline;
mod handle;
pub mod init_error;
mod path;
mod serve;
mod settings;
mod status;

pub use context::Context;
pub use handle::handle;
pub use serve::serve;
pub use settings::Settings;
