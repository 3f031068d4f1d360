//! Who may call the edge, and how often, for hosts that no API Gateway stands before.
//!
//! [`AccessControl`] is the edge's port [`millrace_edge::Access`]: a caller shows an API key ([`ApiKeys`]) or a JSON Web Token
//! (`jwt`), and each caller has a rate ([`RateLimit`]). A refused credential is a log line of the target `audit`.

mod access_control;
mod api_keys;
mod client_address;
#[cfg(feature = "jwt")]
pub mod jwt;
mod new_key;
mod rate_limit;
mod reload;

pub use access_control::AccessControl;
pub use api_keys::{ApiKeys, ApiKeysError};
pub use client_address::PeerAddress;
pub use new_key::NewKey;
pub use rate_limit::RateLimit;
#[cfg(feature = "jwt")]
pub use reload::fetched_again;
pub use reload::{Reloaded, reloaded};
