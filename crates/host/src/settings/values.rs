//! Value parsers shared by settings. Each error says what is accepted.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// Parses a duration with its unit: `250ms`, `10s`, `1m`, `1h 30m`.
///
/// ```
/// #[derive(clap::Args)]
/// struct Batches {
///     /// How long a batch may wait to fill
///     #[arg(long, value_parser = millrace_host::settings::duration, default_value = "10s")]
///     batch_age: std::time::Duration,
/// }
/// ```
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "write a number and its unit, like 250ms, 10s, 1m or 1h 30m".to_owned())
}

/// Parses an address to listen on: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080` (which is 127.0.0.1), or `:8080`
/// for all IPv4 addresses. Port 0 chooses a free port. Other host names are not resolved.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let accepted = || "write ADDRESS:PORT, like 127.0.0.1:8080, or :8080 for all addresses".to_owned();
    let (host, port) = text.rsplit_once(':').ok_or_else(accepted)?;
    let ip = match host {
        "" => Ipv4Addr::UNSPECIFIED,
        "localhost" => Ipv4Addr::LOCALHOST,
        _ => return Err(accepted()),
    };
    let port = port.parse().map_err(|_| accepted())?;
    Ok(SocketAddr::new(IpAddr::V4(ip), port))
}

/// A parser of whole numbers in `range`, all of which `T` must be able to hold. An end of `u64::MAX` means no upper
/// limit.
///
/// ```
/// # use millrace_host::settings::whole_number;
/// #[derive(clap::Args)]
/// struct Batches {
///     /// Events per batch
///     #[arg(long, value_parser = whole_number::<u32>(1..=1_000), default_value = "100")]
///     batch: u32,
/// }
/// ```
pub fn whole_number<T: FromStr>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.and_then(|number: u64| number.to_string().parse().ok()).ok_or_else(|| {
            match (range.start(), range.end()) {
                (first, &u64::MAX) => format!("must be a whole number, at least {first}"),
                (first, last) => format!("must be a whole number from {first} to {last}"),
            }
        })
    }
}

/// Parses bootstrap servers: `HOST:PORT`, separated by commas. librdkafka ignores entries that it cannot parse.
pub fn bootstrap_servers(text: &str) -> Result<String, String> {
    let servers: Vec<&str> = text.split(',').map(str::trim).collect();
    match servers.iter().find(|server| !is_address(server)) {
        None => Ok(servers.join(",")),
        Some(wrong) => {
            Err(format!("{wrong:?} is not HOST:PORT with a number as its port; several are separated by commas"))
        }
    }
}

fn is_address(server: &str) -> bool {
    let Some((host, port)) = server.rsplit_once(':') else { return false };
    let is_name_or_ipv4 = || !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
    let host_is_right = host.strip_prefix('[').map_or_else(is_name_or_ipv4, |rest| {
        rest.strip_suffix(']').is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok())
    });
    host_is_right && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
        for wrong in ["10", "", "s", "-1s", "10 parsecs"] {
            let error = duration(wrong).expect_err(wrong);
            assert!(error.contains("10s"), "{wrong}: {error}");
        }
    }

    #[test]
    fn whole_numbers_are_rejected_with_their_range() {
        let rate = whole_number::<u32>(1..=1_000);
        assert_eq!([rate("1"), rate("1000"), rate("007")], [Ok(1), Ok(1_000), Ok(7)]);
        for wrong in ["0", "1001", "x", "", "-1", "1.5", "1e3", "99999999999999999999"] {
            assert_eq!(rate(wrong), Err("must be a whole number from 1 to 1000".to_owned()), "{wrong}");
        }
        let seed = whole_number::<u64>(0..=u64::MAX);
        assert_eq!(seed("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(seed("-1"), Err("must be a whole number, at least 0".to_owned()));
    }

    #[test]
    fn listen_addresses_may_omit_the_host_or_say_localhost() {
        for (text, address) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("[::1]:8080", "[::1]:8080"),
            ("localhost:0", "127.0.0.1:0"),
            (":8080", "0.0.0.0:8080"),
        ] {
            assert_eq!(listen_address(text), Ok(address.parse().unwrap()), "{text}");
        }
        for wrong in ["8080", "", ":", "localhost", "localhost:http", ":65536", "example.com:80"] {
            let error = listen_address(wrong).expect_err(wrong);
            assert!(error.contains("ADDRESS:PORT"), "{wrong}: {error}");
        }
    }

    #[test]
    fn bootstrap_servers_are_hosts_with_ports() {
        assert_eq!(
            bootstrap_servers("a:9092, b.example.com:9093,[::1]:9094"),
            Ok("a:9092,b.example.com:9093,[::1]:9094".into())
        );
        for wrong in ["", "a", "a:", ":9092", "a:0", "a:65536", "a:9092,", "a b:9092", "http://a:9092", "::1:9092"] {
            assert!(bootstrap_servers(wrong).is_err(), "{wrong}");
        }
    }
}
