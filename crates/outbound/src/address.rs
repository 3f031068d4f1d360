//! The addresses that a destination may have: those of the public internet, unless the user allows others.
//!
//! Guards against server-side request forgery (SSRF): a destination's name must not lead to other machines of this
//! network, or to a cloud's metadata service. The lists are IANA's registries of special-purpose addresses (RFC 6890).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

/// Whether addresses beyond the public internet are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressPolicy {
    /// Only addresses of the public internet.
    PublicOnly,
    /// All addresses.
    Any,
}

/// An address that may not be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0} is a private, local or reserved address (--allow-private-destinations allows it)")]
pub struct PrivateAddress(pub IpAddr);

impl AddressPolicy {
    /// Whether the address may be connected to.
    ///
    /// # Errors
    /// [`PrivateAddress`] where it may not.
    pub fn check(self, address: IpAddr) -> Result<(), PrivateAddress> {
        if self == Self::Any || is_public(address) { Ok(()) } else { Err(PrivateAddress(address)) }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match a {
        // This network; private; loopback; multicast, reserved and broadcast.
        0 | 10 | 127 | 224..=255 => true,
        // Shared address space of carriers (RFC 6598).
        100 => (64..128).contains(&b),
        // Link-local, a cloud's metadata service among them.
        169 => b == 254,
        172 => (16..32).contains(&b),
        // Private; IETF protocol assignments; documentation; the former 6to4 relays.
        192 => b == 168 || (b == 0 && (c == 0 || c == 2)) || (b == 88 && c == 99),
        // Benchmarks; documentation.
        198 => b == 18 || b == 19 || (b == 51 && c == 100),
        203 => b == 0 && c == 113,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    let segments = address.segments();
    let [first, second, ..] = segments;
    match first {
        // NAT64 (RFC 6052) leads to the IPv4 address in its last 32 bits.
        0x0064 if second == 0xff9b && segments[2..6] == [0; 4] => {
            let [.., a, b, c, d] = address.octets();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // IETF protocol assignments, Teredo among them; documentation.
        0x2001 => second >= 0x0200 && second != 0x0db8,
        // 6to4 leads to an IPv4 address, by relays that are gone.
        0x2002 => false,
        // Documentation (RFC 9637).
        0x3fff => second >= 0x1000,
        // Global unicast. All else is loopback, unique local, link-local, multicast or reserved.
        0x2000..=0x3fff => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_beyond_the_public_internet_are_refused() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:0a00:0001::1",
            "3fff::1",
            "3fff:fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(AddressPolicy::PublicOnly.check(address), Err(PrivateAddress(address)));
            assert_eq!(AddressPolicy::Any.check(address), Ok(()));
        }
    }

    #[test]
    fn addresses_of_the_public_internet_are_allowed() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450::1",
            "3ffe::1",
        ] {
            assert_eq!(AddressPolicy::PublicOnly.check(text.parse().unwrap()), Ok(()), "{text}");
        }
    }
}
