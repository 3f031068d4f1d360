//! Redirects: not followed, since they lead to URLs that are not configured.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::response::Redirect;
use axum::routing::{any, post};
use millrace_domain::DeadLetterClass;
use tokio::net::TcpListener;

use crate::setup::{dead_letter, notifier, process, record, route, webhook};

#[tokio::test]
async fn a_redirect_is_a_failure() {
    let followed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&followed);
    let target = any(move || async move {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let app = Router::new()
        .route("/permanent", post(|| async { Redirect::permanent("/target") }))
        .route("/temporary", post(|| async { Redirect::temporary("/target") }))
        .route("/other", post(|| async { Redirect::to("/target") }))
        .route("/target", target);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });

    for (path, status) in [("permanent", 308), ("temporary", 307), ("other", 303)] {
        let config = webhook("hook", &format!("http://{address}/{path}")) + &route("hook");
        let (class, reason) = dead_letter(process(&notifier(&config), record("event-1", "12345", "hello")).await);
        assert_eq!(class, DeadLetterClass::Permanent);
        assert!(
            reason.contains(&status.to_string()) && reason.contains("a redirect, which is not followed"),
            "{reason}"
        );
    }
    assert_eq!(followed.load(Ordering::SeqCst), 0);
    server.abort();
}
