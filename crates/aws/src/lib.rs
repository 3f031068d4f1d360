//! The configuration of AWS's clients: credentials, region and endpoints of the environment, and an HTTPS client on ring.
//!
//! The SDK's own HTTPS client brings in aws-lc, a second implementation of the cryptography that everything else here takes from
//! ring: a megabyte in each function, and the slowest part of its build.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Mutex;
use std::time::Duration;

use aws_config::{BehaviorVersion, ConfigLoader};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use aws_smithy_types::error::metadata::ProvideErrorMetadata;

pub use aws_config::SdkConfig;

/// What went wrong with a call, for a person: the service's code and message, or why there was no answer.
pub fn message(error: &(impl ProvideErrorMetadata + Error)) -> String {
    if let Some(code) = error.code() {
        return format!("{code}: {}", error.message().unwrap_or("no message"));
    }
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The environment's configuration, to be loaded.
#[must_use]
pub fn config() -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest()).http_client(https())
}

/// Time-outs to connect and to read, which a connector has for good.
type Timeouts = (Option<Duration>, Option<Duration>);

/// HTTPS with the system's certificates, through the proxy that the environment names. A connector keeps its connections, so
/// there is one for each pair of time-outs.
fn https() -> SharedHttpClient {
    let connectors: Mutex<HashMap<Timeouts, SharedHttpConnector>> = Mutex::default();
    http_client_fn(move |settings, components| {
        let timeouts = (settings.connect_timeout(), settings.read_timeout());
        // A panic while it is held leaves the map as it was.
        let mut connectors = connectors.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let connector = || SharedHttpConnector::new(connector(settings, components));
        connectors.entry(timeouts).or_insert_with(connector).clone()
    })
}

fn connector(settings: &HttpConnectorSettings, components: &RuntimeComponents) -> Connector {
    let mut builder = ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::Ring));
    builder.set_connector_settings(Some(settings.clone()));
    builder.set_sleep_impl(components.sleep_impl());
    builder.set_proxy_config(Some(ProxyConfig::from_env()));
    builder.build()
}
