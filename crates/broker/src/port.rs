//! Free ports of 127.0.0.1 that a server keeps over a restart.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

/// Below the ephemeral ports of Linux (from 32768) and macOS (from 49152). While a broker is down, another process
/// could get its ephemeral port, or a client that reconnects to it could connect to itself (TCP simultaneous open).
const RANGE: Range<u16> = 15_000..32_000;

/// `count` different free ports, those of `preferred` first; `None` where there are too few.
///
/// They are free when this returns; bind them soon.
pub fn free(count: usize, preferred: &[u16]) -> Option<Vec<u16>> {
    let span = RANGE.end - RANGE.start;
    let start = random() % span;
    let candidates = (0..span).map(|step| RANGE.start + (start + step) % span);
    // All stay bound until the last is found, so that none is returned twice.
    let held: Vec<(u16, TcpListener)> = preferred
        .iter()
        .copied()
        .chain(candidates)
        .filter_map(|port| Some((port, TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?)))
        .take(count)
        .collect();
    (held.len() == count).then(|| held.into_iter().map(|(port, _)| port).collect())
}

/// Different in every process and call, so that concurrent searches start at different ports.
fn random() -> u16 {
    let [low, high, ..] = RandomState::new().build_hasher().finish().to_le_bytes();
    u16::from_le_bytes([low, high])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_are_different_and_not_ephemeral() {
        let mut ports = free(6, &[]).unwrap();
        assert!(ports.iter().all(|port| RANGE.contains(port)), "{ports:?}");
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 6);
    }

    #[test]
    fn a_preferred_port_is_used_when_it_is_free() {
        let [port] = free(1, &[]).unwrap()[..] else { panic!("one port was asked for") };
        assert_eq!(free(2, &[port]).unwrap()[0], port);
    }

    #[test]
    fn a_preferred_port_in_use_is_skipped() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(free(1, &[port]).unwrap()[0], port);
    }
}
