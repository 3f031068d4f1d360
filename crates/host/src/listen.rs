//! Listens on the address of a setting.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use crate::exit::SettingError;

/// Listen backlog: connections that may wait to be accepted.
const BACKLOG: u32 = 1_024;

/// A bound socket that does not listen yet: connections are refused.
///
/// A process that is starting must not accept requests that it cannot answer: a client that is refused at once retries
/// sooner than one that waits.
#[derive(Debug)]
pub struct BoundSocket {
    socket: TcpSocket,
    address: SocketAddr,
    flag: &'static str,
}

impl BoundSocket {
    /// Binds `address`, the value of `flag` (`listen` for `--listen`).
    ///
    /// The error names the setting and the address: the port is in use, it needs a privilege, or the address is not
    /// one of this machine's.
    pub fn at(address: SocketAddr, flag: &'static str) -> Result<Self, SettingError> {
        let bound = || {
            let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            // Allows TIME_WAIT connections of an earlier process; a listening one still conflicts.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            Ok((socket.local_addr()?, socket))
        };
        let (address, socket) = bound().map_err(|error| refused(&error, address, flag))?;
        Ok(Self { socket, address, flag })
    }

    /// The bound address; port 0 is replaced by the chosen port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts to listen. The error is as in [`at`](Self::at): another process may have bound the address as well and
    /// listen already.
    pub fn listen(self) -> Result<TcpListener, SettingError> {
        self.socket.listen(BACKLOG).map_err(|error| refused(&error, self.address, self.flag))
    }
}

/// Binds `address` and listens at once.
pub fn bind(address: SocketAddr, flag: &'static str) -> Result<TcpListener, SettingError> {
    BoundSocket::at(address, flag)?.listen()
}

fn refused(error: &io::Error, address: SocketAddr, flag: &str) -> SettingError {
    let reason = match error.kind() {
        ErrorKind::AddrInUse => "the port is in use by another process".to_owned(),
        ErrorKind::PermissionDenied => "no permission for this port".to_owned(),
        ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
        _ => error.to_string(),
    };
    SettingError::of_flag(flag, format!("cannot listen on {address}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_names_the_setting_and_the_address() {
        let free = "127.0.0.1:0".parse().unwrap();
        let first = bind(free, "listen").unwrap();
        let taken = first.local_addr().unwrap();

        let error = bind(taken, "listen").unwrap_err();

        assert_eq!(
            error.to_string(),
            format!("--listen (MILLRACE_LISTEN): cannot listen on {taken}: the port is in use by another process")
        );
    }

    #[tokio::test]
    async fn a_bound_socket_refuses_connections_until_it_listens() {
        let socket = BoundSocket::at("127.0.0.1:0".parse().unwrap(), "listen").unwrap();
        let connect = || tokio::net::TcpStream::connect(socket.address());
        assert_eq!(connect().await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let address = socket.address();
        let _listener = socket.listen().unwrap();
        tokio::net::TcpStream::connect(address).await.unwrap();
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_a_setting_error() {
        // 192.0.2.0/24 is reserved for documentation (RFC 5737): no machine has it.
        let elsewhere = "192.0.2.1:8080".parse().unwrap();

        let error = bind(elsewhere, "listen").unwrap_err();

        assert_eq!(
            error.to_string(),
            "--listen (MILLRACE_LISTEN): cannot listen on 192.0.2.1:8080: this machine does not have that address"
        );
    }
}
