//! Asks a running process for its health: what the health check of a container runs, which has no other program.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::exit;

/// How long all of it may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 64 << 10;

/// `--health-check`.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Admin")]
pub struct HealthCheck {
    /// Ask the process that runs with these settings for its /health, print the answer, and exit: 0 where it serves, else 1
    #[arg(long)]
    health_check: bool,
}

impl HealthCheck {
    /// The exit code of a health check, where one was asked for, of the process that serves `/health` on `address`. One
    /// that listens on all addresses is asked on the loopback address. `parts` are those that its answer must have: another
    /// process may listen there.
    pub fn run(self, address: SocketAddr, parts: &[&str]) -> Option<ExitCode> {
        self.run_over(address, parts, Ok)
    }

    /// As [`run`](Self::run), over a connection that `secured` makes of a plain one.
    pub fn run_over<S: Read + Write>(
        self,
        address: SocketAddr,
        parts: &[&str],
        secured: impl FnOnce(TcpStream) -> io::Result<S>,
    ) -> Option<ExitCode> {
        self.health_check.then(|| check(address, parts, secured))
    }
}

fn check<S: Read + Write>(
    mut address: SocketAddr,
    parts: &[&str],
    secured: impl FnOnce(TcpStream) -> io::Result<S>,
) -> ExitCode {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let (is_healthy, text) = match ask(address, secured) {
        Ok(answer) => {
            let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
            match parts.iter().find(|part| !body.contains(&format!("\"{part}\""))) {
                None => (head.split(' ').nth(1) == Some("200"), body.to_owned()),
                Some(part) => (false, format!("another process than that of {part} answers at {address}: {body}")),
            }
        }
        Err(error) => (false, format!("no answer at {address}: {error}")),
    };
    // With a closed stdout, the exit code still says it.
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
    if is_healthy { ExitCode::SUCCESS } else { ExitCode::from(exit::FAILURE) }
}

fn ask<S: Read + Write>(address: SocketAddr, secured: impl FnOnce(TcpStream) -> io::Result<S>) -> io::Result<String> {
    let deadline = Instant::now() + TIMEOUT;
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    // Keeps the time-outs of reads within the deadline.
    let socket = stream.try_clone()?;
    let mut connection = secured(stream)?;
    write!(connection, "GET /health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let (mut answer, mut part) = (Vec::new(), [0; 4 << 10]);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || answer.len() > ANSWER_LIMIT {
            return Err(io::ErrorKind::TimedOut.into());
        }
        socket.set_read_timeout(Some(left))?;
        match connection.read(&mut part)? {
            0 => return Ok(String::from_utf8_lossy(&answer).into_owned()),
            read => answer.extend_from_slice(&part[..read]),
        }
    }
}
