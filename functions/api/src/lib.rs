//! The HTTP edge as a Lambda function, behind API Gateway (HTTP and REST APIs) and function URLs.
//!
//! An execution environment builds its [`Context`] once, in init, and [`handle`]s one invocation after the other, or up
//! to `AWS_LAMBDA_MAX_CONCURRENCY` at once. Every response precedes the function's time-out: after it the caller would
//! not learn that the event may have been written.

mod context;
mod deadline;
mod handle;
mod path;
mod serve;
mod settings;
mod status;

pub use context::Context;
pub use handle::handle;
pub use serve::serve;
pub use settings::Settings;
