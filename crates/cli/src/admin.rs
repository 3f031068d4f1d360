//! `/health` and `/metrics` of the commands that run until they are stopped.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use clap::Args;
use millrace_host::admin;
use millrace_host::exit::SettingError;
use millrace_host::health::Health;
use millrace_host::listen;
use millrace_host::settings::listen_address;
use tokio::net::TcpListener;

/// Where a consumer serves them that nothing else names a place for.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

/// The admin listener of a command that serves HTTP.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Admin")]
pub(crate) struct EdgeAdminArgs {
    /// Where /health and /metrics are served [default: beside the API, on --listen]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = listen_address)]
    admin_listen: Option<SocketAddr>,
}

impl EdgeAdminArgs {
    /// Serves them on the listener of their own that was asked for, else as routes beside those of the API. Its
    /// `/health` stays what it is.
    ///
    /// # Errors
    /// [`SettingError`] where that address cannot be listened on.
    pub(crate) fn serve(self, routes: Router, health: &Health) -> Result<Router, SettingError> {
        let Some(address) = self.admin_listen else { return Ok(routes.merge(admin::metrics_route())) };
        let listener = listen::bind(address, "admin-listen")?;
        spawn(listener, health.clone());
        Ok(routes)
    }
}

/// The admin listener of a command that serves nothing else.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Admin")]
pub(crate) struct ConsumerAdminArgs {
    /// Where /health and /metrics are served [default: 127.0.0.1:9090, or a free port where that is in use]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = listen_address)]
    admin_listen: Option<SocketAddr>,
}

impl ConsumerAdminArgs {
    /// Serves them, and returns their address.
    ///
    /// # Errors
    /// [`SettingError`] where the address cannot be listened on.
    pub(crate) fn serve(self, health: &Health) -> Result<SocketAddr, SettingError> {
        let bind = |address| listen::bind(address, "admin-listen");
        let listener = match self.admin_listen {
            Some(address) => bind(address)?,
            // A second one on the same machine is no mistake.
            None => bind(DEFAULT_LISTEN).or_else(|_| bind(SocketAddr::new(DEFAULT_LISTEN.ip(), 0)))?,
        };
        let address =
            listener.local_addr().map_err(|error| SettingError::of_flag("admin-listen", error.to_string()))?;
        spawn(listener, health.clone());
        Ok(address)
    }
}

fn spawn(listener: TcpListener, health: Health) {
    tokio::spawn(async move {
        if let Err(error) = admin::serve(listener, health).await {
            tracing::error!(%error, "the admin listener ended");
        }
    });
}
