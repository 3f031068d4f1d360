//! Free ports of 127.0.0.1 that a server can keep over a restart.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

/// Below the ports that Linux (from 32768) and macOS (from 49152) give out by themselves. A port from there could go
/// to somebody else while a broker is down, even to one of its own clients: a client that keeps dialling a closed
/// port of that range ends up, now and then, connected to itself.
const RANGE: Range<u16> = 15_000..32_000;

/// `count` different free ports, those of `preferred` first; `None` where there are not so many.
///
/// They are free when this returns: whoever wants them should take them soon.
pub fn free(count: usize, preferred: &[u16]) -> Option<Vec<u16>> {
    let span = RANGE.end - RANGE.start;
    let start = random() % span;
    let candidates = (0..span).map(|step| RANGE.start + (start + step) % span);
    // All are held until the last is found, so that none is given twice.
    let held: Vec<(u16, TcpListener)> = preferred
        .iter()
        .copied()
        .chain(candidates)
        .filter_map(|port| Some((port, TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?)))
        .take(count)
        .collect();
    (held.len() == count).then(|| held.into_iter().map(|(port, _)| port).collect())
}

/// Different in every process and call, so that two that look for ports at once look at different ones.
fn random() -> u16 {
    let [low, high, ..] = RandomState::new().build_hasher().finish().to_le_bytes();
    u16::from_le_bytes([low, high])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_are_different_and_outside_the_range_of_outgoing_connections() {
        let mut ports = free(6, &[]).unwrap();
        assert!(ports.iter().all(|port| RANGE.contains(port)), "{ports:?}");
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 6);
    }

    #[test]
    fn a_preferred_port_is_kept_when_it_is_free() {
        let [port] = free(1, &[]).unwrap()[..] else { panic!("one port was asked for") };
        assert_eq!(free(2, &[port]).unwrap()[0], port);
    }

    #[test]
    fn a_preferred_port_that_is_taken_is_passed_over() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(free(1, &[port]).unwrap()[0], port);
    }
}
