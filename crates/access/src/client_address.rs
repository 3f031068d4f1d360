//! Where a request comes from, behind proxies too.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderMap;

/// The other end of a request's connection: an extension that the host adds to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub IpAddr);

const FORWARDED_FOR: &str = "x-forwarded-for";

/// A client's address. Each proxy appends the address of whoever called it to `X-Forwarded-For`, so with so many proxies of one's
/// own the client is that many from the end; what is before it, the client may have made up. Without as many entries it is the
/// first one, and without the header the peer.
pub(crate) fn of_client(headers: &HeaderMap, peer: IpAddr, proxies: usize) -> IpAddr {
    let Some(from_end) = proxies.checked_sub(1) else { return peer };
    // As bytes: what a client has sent need not be text, and stands in one field with what proxies appended.
    let fields = headers.get_all(FORWARDED_FOR).iter();
    let addresses: Vec<&[u8]> = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b',')).collect();
    let Some(last) = addresses.len().checked_sub(1) else { return peer };
    let address = str::from_utf8(addresses[last.saturating_sub(from_end)]).unwrap_or_default().trim();
    // Some proxies append the port as well.
    let parsed = address.parse::<IpAddr>().or_else(|_| address.parse::<SocketAddr>().map(|address| address.ip()));
    parsed.unwrap_or(peer)
}

/// An address as a rate limit counts it: one IPv6 customer has at least 2^64 of them.
pub(crate) fn counted(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn client(fields: &[&str], proxies: usize) -> String {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(field.as_bytes()).unwrap());
        }
        of_client(&headers, PEER, proxies).to_string()
    }

    #[test]
    fn only_what_own_proxies_appended_counts() {
        assert_eq!(client(&["203.0.113.7"], 0), "10.0.0.1", "anybody can send the header");
        assert_eq!(client(&["203.0.113.7"], 1), "203.0.113.7");
        assert_eq!(client(&["1.1.1.1, 203.0.113.7"], 1), "203.0.113.7");
        assert_eq!(client(&["1.1.1.1", "203.0.113.7 ,198.51.100.2"], 2), "203.0.113.7");
        assert_eq!(client(&["203.0.113.7"], 3), "203.0.113.7");
        assert_eq!(client(&[], 1), "10.0.0.1");
        assert_eq!(client(&["nonsense"], 1), "10.0.0.1");
        assert_eq!(client(&["\u{e4}, 203.0.113.7"], 1), "203.0.113.7", "not text, and not an address");
        assert_eq!(client(&["203.0.113.7:443"], 1), "203.0.113.7");
        assert_eq!(client(&["2001:db8::7"], 1), "2001:db8::7");
        assert_eq!(client(&["[2001:db8::7]:443"], 1), "2001:db8::7");
    }

    #[test]
    fn one_ipv6_network_is_one_caller() {
        let counted = |text: &str| counted(text.parse().unwrap()).to_string();
        assert_eq!(counted("2001:db8:0:1:aaaa::1"), "2001:db8:0:1::");
        assert_eq!(counted("::ffff:203.0.113.7"), "203.0.113.7");
        assert_eq!(counted("203.0.113.7"), "203.0.113.7");
    }
}
