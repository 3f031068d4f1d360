//! AWS Lambda for tests: the Lambda Runtime API, and execution environments that run the unmodified binary.
//!
//! ```no_run
//! # async fn test() {
//! use millrace_testkit::lambda::{Function, HttpApi};
//!
//! let lambda = Function::new("target/debug/my-function").variable("GREETING", "hello").deploy();
//! let api = HttpApi::start(lambda.clone()).await.unwrap();
//! // … a real HTTP request to api.url("/greet"), answered by the function …
//! assert_eq!(lambda.environments().len(), 1);
//! # }
//! ```
//!
//! As on AWS: an environment is one process that serves one invocation at a time (or `AWS_LAMBDA_MAX_CONCURRENCY`); it
//! is frozen (`SIGSTOP`) between invocations, while its connections age, and resumed by the next one; it is killed
//! without notice at the function's time-out; one that has exited is replaced. The process has the variables of AWS and
//! of the function, and none of the test's environment.
//!
//! Unlike AWS: memory and CPU are not limited, and an invocation at full concurrency waits where AWS throttles it.
//!
//! Sources: [Runtime API](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html),
//! [execution environments](https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html),
//! [variables](https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html).

mod answer;
mod environment;
pub mod event;
mod failure;
mod function;
mod http_api;
mod runtime_api;
#[cfg(test)]
mod tests;

pub use environment::{Environment, Startup};
pub use failure::Failure;
pub use function::{Function, Lambda};
pub use http_api::HttpApi;

pub use answer::read as read_answer;
