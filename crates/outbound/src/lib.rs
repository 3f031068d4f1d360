//! Calls to the outside: HTTP POST with checked addresses and proxies, chat messages.
//!
//! [`Endpoint::post`] makes one attempt; retries, rates and time-outs are its caller's. What it posts is any JSON, such as
//! a message of [`chat`]. [`client`] is the same client for other calls.
//!
//! | module | its one idea |
//! |---|---|
//! | `address` | which addresses may be connected to |
//! | `resolver` | names resolved to those addresses |
//! | `proxy` | the proxy of a URL, by the environment |
//! | `http` | HTTP POST to a URL |
//! | `response`, `retry_after` | what a response means, and when to try again |
//! | `failure` | what a failed post means |
//! | `chat` | a title and a text as Slack and Teams show them |

mod address;
pub mod chat;
mod failure;
mod http;
mod proxy;
mod resolver;
mod response;
mod retry_after;

pub use address::{AddressPolicy, PrivateAddress};
pub use failure::{PostFailure, PostFailureKind};
pub use http::{Endpoint, HttpError, client};
pub use proxy::Proxies;
pub use resolver::{ResolveError, resolve};
