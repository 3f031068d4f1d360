//! `/health` and `/metrics` of the commands that run until they are stopped.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use clap::Args;
use millrace_edge::{Access, guard};
use millrace_host::admin;
use millrace_host::exit::SettingError;
use millrace_host::health::Health;
use millrace_host::health_check::HealthCheck;
use millrace_host::listen;
use millrace_host::settings::listen_address;
use tokio_util::sync::CancellationToken;

use crate::http_server::tls;

const FLAG: &str = "admin-listen";

/// Where a consumer serves them that nothing else names a place for.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

/// The admin listener of a command that serves HTTP.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Admin")]
pub(crate) struct EdgeAdminArgs {
    /// Where /health and /metrics are served [default: beside the API, on --listen]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = listen_address)]
    admin_listen: Option<SocketAddr>,
    #[command(flatten)]
    health_check: HealthCheck,
}

impl EdgeAdminArgs {
    /// The exit code of a health check, where one was asked for. `listen` is the API's address, which may serve HTTPS.
    pub(crate) fn health_check(self, listen: SocketAddr, is_https: bool) -> Option<ExitCode> {
        match self.admin_listen {
            None if is_https => self.health_check.run_over(listen, &[], tls::own::connect),
            address => self.health_check.run(address.unwrap_or(listen), &[]),
        }
    }

    /// The health of a command that starts, served on the listener of its own that was asked for. It is draining once
    /// `shutdown` is cancelled. `listen` is the API's address.
    ///
    /// # Errors
    /// [`SettingError`] where that address cannot be listened on.
    pub(crate) fn start(self, listen: SocketAddr, shutdown: &CancellationToken) -> Result<Health, SettingError> {
        let health = Health::default();
        if let Some(address) = self.admin_listen {
            if address == listen {
                let problem = format!("{address} is --listen's already; without it /metrics is served there");
                return Err(SettingError::of_flag(FLAG, problem));
            }
            admin::serve(listen::bind(address, FLAG)?, health.clone());
        }
        let (draining, shutdown) = (health.clone(), shutdown.clone());
        tokio::spawn(async move {
            shutdown.cancelled().await;
            draining.drain();
        });
        Ok(health)
    }

    /// The routes of the API, with `/metrics` beside them where it has no listener of its own. Their `/health` stays what
    /// it is. `access` is asked for `/metrics`, too.
    pub(crate) fn beside(self, routes: Router, access: Option<Arc<dyn Access>>) -> Router {
        if self.admin_listen.is_some() {
            return routes;
        }
        let metrics = admin::metrics_route().method_not_allowed_fallback(millrace_edge::method_not_allowed);
        routes.merge(match access {
            Some(access) => guard(metrics, access),
            None => metrics,
        })
    }
}

/// The admin listener of a command that serves nothing else.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Admin")]
pub(crate) struct ConsumerAdminArgs {
    /// Where /health and /metrics are served [default: 127.0.0.1:9090, or a free port where that is in use]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = listen_address)]
    admin_listen: Option<SocketAddr>,
    #[command(flatten)]
    health_check: HealthCheck,
}

impl ConsumerAdminArgs {
    /// The exit code of a health check of the process with these consumers, where one was asked for.
    pub(crate) fn health_check(self, consumers: &[&str]) -> Option<ExitCode> {
        self.health_check.run(self.admin_listen.unwrap_or(DEFAULT_LISTEN), consumers)
    }

    /// Serves them, and returns their address.
    ///
    /// # Errors
    /// [`SettingError`] where the address cannot be listened on.
    pub(crate) fn start(self, health: &Health) -> Result<SocketAddr, SettingError> {
        let bind = |address| listen::bind(address, FLAG);
        let listener = match self.admin_listen {
            Some(address) => bind(address)?,
            // A second one on the same machine is no mistake.
            None => bind(DEFAULT_LISTEN).or_else(|_| bind(SocketAddr::new(DEFAULT_LISTEN.ip(), 0)))?,
        };
        let address = listener.local_addr().map_err(|error| SettingError::of_flag(FLAG, error.to_string()))?;
        admin::serve(listener, health.clone());
        Ok(address)
    }
}
