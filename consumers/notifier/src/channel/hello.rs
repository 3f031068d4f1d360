//! The client identity in EHLO (RFC 5321, 4.1.1.1). Relays refuse clients by it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lettre::transport::smtp::extension::ClientId;
use thiserror::Error;

/// A text that is not valid in EHLO.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum HelloError {
    /// An address without brackets.
    #[error("an address must be in brackets: [192.0.2.1] or [IPv6:2001:db8::1]")]
    MissingBrackets,
    /// Neither a domain name nor an address.
    #[error("{0:?} is neither a domain name, such as mail.example.com, nor an address in brackets")]
    Invalid(String),
}

/// Parses a domain name, `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
///
/// # Errors
/// [`HelloError`] for anything else.
pub(crate) fn parse(text: &str) -> Result<ClientId, HelloError> {
    if text.parse::<IpAddr>().is_ok() {
        return Err(HelloError::MissingBrackets);
    }
    let client = match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => literal(address),
        None => is_domain(text).then(|| ClientId::Domain(text.to_owned())),
    };
    client.ok_or_else(|| HelloError::Invalid(text.to_owned()))
}

/// The host name; the loopback address where the host name is not a domain name: RFC 5321, 4.1.4, then requires an
/// address literal.
pub(crate) fn of_host() -> ClientId {
    let host = ClientId::default();
    let ClientId::Domain(name) = &host else { return host };
    parse(name).unwrap_or_else(|_| {
        tracing::warn!(
            host = name,
            "host name is not a domain name, EHLO sends [127.0.0.1]; set hello in the smtp destination"
        );
        ClientId::Ipv4(Ipv4Addr::LOCALHOST)
    })
}

fn literal(address: &str) -> Option<ClientId> {
    match address.strip_prefix("IPv6:") {
        Some(address) => address.parse().ok().map(|address: Ipv6Addr| ClientId::Ipv6(address)),
        None => address.parse().ok().map(|address: Ipv4Addr| ClientId::Ipv4(address)),
    }
}

/// Whether a text is a domain by EHLO's grammar (RFC 5321, 4.1.2): labels of letters, digits and inner hyphens.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 255 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_sent_as_written() {
        for text in ["mail.example.com", "a1b2c3", "xn--bcher-kva.example", "[192.0.2.1]", "[IPv6:2001:db8::1]"] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn invalid_names_and_bare_addresses_are_refused() {
        for text in ["", "my_host", "-a.example", "a..b", "a.example.", "a b", "a\r\nRSET", "bücher.example", "[::1]"]
        {
            assert!(matches!(parse(text), Err(HelloError::Invalid(_))), "{text:?}");
        }
        assert_eq!(parse("192.0.2.1"), Err(HelloError::MissingBrackets));
        assert_eq!(parse("2001:db8::1"), Err(HelloError::MissingBrackets));
        assert!(parse(&"a".repeat(64)).is_err());
    }
}
