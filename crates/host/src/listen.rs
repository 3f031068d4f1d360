//! Listening on an address that a setting gave.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::exit::SettingError;

/// Listens on `address`, which `setting` gave (as [`Origins::name`](crate::settings::Origins::name) names it).
///
/// The error names the setting and the address: the port is in use, it needs a privilege, or the address is not one
/// of this machine's.
pub async fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener, SettingError> {
    TcpListener::bind(address).await.map_err(|error| {
        let reason = match error.kind() {
            ErrorKind::AddrInUse => "the port is in use by another process".to_owned(),
            ErrorKind::PermissionDenied => "no permission for this port".to_owned(),
            ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
            _ => error.to_string(),
        };
        SettingError::new(setting, format!("cannot listen on {address}: {reason}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_names_the_setting_and_the_address() {
        let free = "127.0.0.1:0".parse().unwrap();
        let first = bind(free, "--listen").await.unwrap();
        let taken = first.local_addr().unwrap();

        let error = bind(taken, "MILLRACE_LISTEN").await.unwrap_err();

        assert_eq!(
            error.to_string(),
            format!("MILLRACE_LISTEN: cannot listen on {taken}: the port is in use by another process")
        );
    }

    #[tokio::test]
    async fn an_address_of_another_machine_names_the_setting_and_the_address() {
        // 192.0.2.0/24 is reserved for documentation (RFC 5737): no machine has it.
        let elsewhere = "192.0.2.1:8080".parse().unwrap();

        let error = bind(elsewhere, "--listen").await.unwrap_err();

        assert_eq!(
            error.to_string(),
            "--listen: cannot listen on 192.0.2.1:8080: this machine does not have that address"
        );
    }
}
