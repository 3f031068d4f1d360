//! Network access of the channels: HTTP, proxies, and the check for private addresses.

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
