//! Name resolution to allowed addresses. Runs on every connect, so that a name cannot move to a private address after
//! it was checked (DNS rebinding).

use std::io;
use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use crate::address::{AddressPolicy, PrivateAddress};

/// Why a name has no allowed address.
#[derive(Debug, Error)]
pub enum ResolveError {
    /// The name has no address, or the lookup failed.
    #[error("cannot resolve {0}")]
    Lookup(String, #[source] io::Error),
    /// All its addresses are private.
    #[error("{0} resolves to a private address")]
    Private(String, #[source] PrivateAddress),
}

/// The allowed addresses of `host`, a name or a literal address.
///
/// # Errors
/// [`ResolveError`] where there is none.
pub async fn resolve(host: &str, port: u16, policy: AddressPolicy) -> Result<Vec<SocketAddr>, ResolveError> {
    let lookup_failed = |error| ResolveError::Lookup(host.to_owned(), error);
    let found = match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => tokio::net::lookup_host((host, port)).await.map_err(lookup_failed)?.collect(),
    };
    let mut refused = None;
    let allowed: Vec<_> = found
        .into_iter()
        .filter(|address| policy.check(address.ip()).map_err(|error| refused = Some(error)).is_ok())
        .collect();
    match refused {
        Some(refused) if allowed.is_empty() => Err(ResolveError::Private(host.to_owned(), refused)),
        None if allowed.is_empty() => Err(lookup_failed(io::Error::other("no address found"))),
        _ => Ok(allowed),
    }
}

/// [`resolve`] as reqwest's DNS resolver.
pub(crate) struct CheckedResolver(pub(crate) AddressPolicy);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0;
        Box::pin(async move {
            // reqwest fills in the URL's port.
            let addresses = resolve(name.as_str(), 0, policy).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_is_refused_unless_private_addresses_are_allowed() {
        let error = resolve("localhost", 80, AddressPolicy::PublicOnly).await.unwrap_err();
        assert!(matches!(error, ResolveError::Private(..)), "{error}");
        assert!(!resolve("localhost", 80, AddressPolicy::Any).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_literal_address_is_checked_like_a_name() {
        for host in ["127.0.0.1", "[::1]", "::1", "169.254.169.254"] {
            let error = resolve(host, 25, AddressPolicy::PublicOnly).await.unwrap_err();
            assert!(matches!(error, ResolveError::Private(..)), "{host}: {error}");
        }
        assert_eq!(resolve("8.8.8.8", 25, AddressPolicy::PublicOnly).await.unwrap(), ["8.8.8.8:25".parse().unwrap()]);
    }
}
