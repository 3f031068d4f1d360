//! How channels reach the network: which addresses they may connect to, and HTTP.

mod address;
mod http;
mod proxy;
mod resolver;
mod response;
mod retry_after;

pub(crate) use self::address::AddressPolicy;
pub(crate) use self::http::{Endpoint, HttpError};
pub(crate) use self::proxy::Proxies;
pub(crate) use self::resolver::{ResolveError, resolve};
