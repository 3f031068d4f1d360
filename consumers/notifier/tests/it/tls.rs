//! Certificates: a server with an untrusted one receives nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use millrace_domain::DeadLetterClass;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::setup::{dead_letter, notifier, process, record, route, webhook};

/// A TLS acceptor with a self-signed certificate for this name, and the certificate in PEM.
pub(crate) fn self_signed(name: &str) -> (TlsAcceptor, String) {
    let pair = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(pair.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![pair.cert.der().clone()], key)
        .unwrap();
    let certificate = STANDARD.encode(pair.cert.der());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n");
    (TlsAcceptor::from(Arc::new(config)), pem)
}

/// A server with a self-signed certificate for `localhost`, and the number of completed handshakes.
async fn self_signed_server() -> (SocketAddr, Arc<AtomicUsize>) {
    let (acceptor, _) = self_signed("localhost");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let handshakes = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&handshakes);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if acceptor.accept(stream).await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    (address, handshakes)
}

#[tokio::test]
async fn webhooks_and_mail_refuse_a_self_signed_certificate() {
    let (address, handshakes) = self_signed_server().await;
    let port = address.port();
    let hook = webhook("a", &format!("https://localhost:{port}/hook"));
    let mail = format!(
        "[destinations.a]\ntype = \"smtp\"\nserver = \"smtps://localhost:{port}\"\nfrom = \"a@example.com\"\n\
         to = \"{{user_id}}@example.com\"\nlimits.backoff = \"1ms\"\n"
    );

    for destination in [hook, mail] {
        let notifier = notifier(&(destination + &route("a")));
        let (class, reason) = dead_letter(process(&notifier, record("event-1", "12345", "hello")).await);
        assert_eq!(class, DeadLetterClass::Transient, "a certificate may be renewed");
        assert!(reason.to_lowercase().contains("certificate"), "{reason}");
    }
    assert_eq!(handshakes.load(Ordering::SeqCst), 0);
}
