//! The admin listener: `GET /health` and `GET /metrics`.

use std::net::SocketAddr;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;

use crate::health::Health;
use crate::health_check::HealthCheck;
use crate::settings::listen_address;
use crate::telemetry::metrics;

/// Media type of the Prometheus text format.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The admin listener's setting, `--admin-listen`.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Admin")]
pub struct AdminSettings {
    /// Where /health and /metrics are served
    ///
    /// All addresses by default, because a container's health check and Prometheus connect from outside. It is
    /// read-only and shows no event; outside a container, 127.0.0.1:9090 restricts it to the machine.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:9090", value_parser = listen_address)]
    pub admin_listen: SocketAddr,
    /// A health check in place of the process.
    #[command(flatten)]
    pub health_check: HealthCheck,
}

/// The routes of the admin listener.
///
/// - `GET /health`: 200 while the process serves, else 503; the body is the [`Report`](crate::health::Report).
/// - `GET /metrics`: what [`metrics::render`] gives.
pub fn router(health: Health) -> Router {
    Router::new().route("/health", get(report)).with_state(health).merge(metrics_route())
}

/// `GET /metrics` alone, for a server that has a `/health` of its own.
pub fn metrics_route() -> Router {
    Router::new().route("/metrics", get(render))
}

/// Serves [`router`] on `listener` in the background until the process exits, also while it drains.
pub fn serve(listener: TcpListener, health: Health) {
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router(health)).await {
            tracing::error!(%error, "the admin listener ended");
        }
    });
}

async fn report(State(health): State<Health>) -> impl IntoResponse {
    let report = health.report();
    let status = if report.serves() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report))
}

async fn render() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], metrics::render())
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use axum::response::Response;
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use super::*;
    use crate::health::Status;

    async fn get(health: &Health, path: &str) -> Response {
        let request = Request::get(path).body(Body::empty()).unwrap();
        router(health.clone()).oneshot(request).await.unwrap()
    }

    async fn text(response: Response) -> String {
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        String::from_utf8(bytes.into()).unwrap()
    }

    /// Otherwise it is 503 with the reason.
    #[tokio::test]
    async fn health_is_200_while_the_process_serves() {
        let health = Health::default();
        assert_eq!(get(&health, "/health").await.status(), 503);

        health.set("kafka", Status::Ok);
        let response = get(&health, "/health").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/json");

        health.drain();
        let response = get(&health, "/health").await;
        assert_eq!(response.status(), 503);
        assert_eq!(
            serde_json::from_str::<Value>(&text(response).await).unwrap(),
            json!({
                "status": "draining",
                "reason": "process is draining",
                "parts": {"kafka": {"status": "ok"}},
            })
        );
    }

    #[tokio::test]
    async fn metrics_are_prometheus_text() {
        metrics::install().unwrap();
        ::metrics::counter!("scraped_total").increment(1);

        let response = get(&Health::default(), "/metrics").await;

        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        assert!(text(response).await.contains("scraped_total 1\n"));
    }
}
