//! Webhooks through a proxy, which resolves their names.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use millrace_broker::embedded::Embedded;
use millrace_testkit::{WebhookReceiver, eventually};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::running::{WAIT_TIMEOUT, produce, producer, start_with};
use crate::setup::{config_file, route, webhook};
use crate::tls::self_signed;

/// A name that only the proxy knows.
const HOST: &str = "hooks.example.test";

/// A TLS terminator in front of a receiver: its address, and its certificate for [`HOST`].
async fn tls_terminator(receiver: SocketAddr) -> (SocketAddr, NamedTempFile) {
    let (acceptor, pem) = self_signed(HOST);
    let mut certificate = NamedTempFile::new().unwrap();
    certificate.write_all(pem.as_bytes()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await.unwrap();
                // Fails when one side disconnects.
                let _ = copy_bidirectional(&mut stream, &mut TcpStream::connect(receiver).await.unwrap()).await;
            });
        }
    });
    (address, certificate)
}

/// A proxy that connects every tunnel to `target`: its address, and the heads of its requests.
async fn proxy(target: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    head.push(char::from(client.read_u8().await.unwrap()));
                }
                seen.lock().unwrap().push(head);
                client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
                // Fails when one side disconnects.
                let _ = copy_bidirectional(&mut client, &mut TcpStream::connect(target).await.unwrap()).await;
            });
        }
    });
    (address, heads)
}

/// With private addresses refused: the proxy has one, and only the proxy resolves the webhook's name.
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_goes_through_a_tunnel_of_the_proxy() {
    let receiver = WebhookReceiver::start().await.unwrap();
    let (server, certificate) = tls_terminator(receiver.url("").trim_start_matches("http://").parse().unwrap()).await;
    let (proxy, heads) = proxy(server).await;
    let config = config_file(&(webhook("hook", &format!("https://{HOST}/hook")) + &route("hook")));
    let broker = Embedded::start(&[("notifications", 1), ("notifications.dlq", 1)]).unwrap();
    let variables = [
        ("HTTPS_PROXY", format!("http://user:secret@localhost:{}", proxy.port())),
        ("SSL_CERT_FILE", certificate.path().to_str().unwrap().to_owned()),
    ];
    let arguments = ["--notifier-config", config.path().to_str().unwrap()];
    let (_running, _, _) = start_with(broker.bootstrap_servers(), &arguments, &variables).await;

    produce(&producer(&broker), "event-1", r#"{"user_id": "12345", "message": "hello"}"#).await;

    eventually(WAIT_TIMEOUT, "the webhook arrived", async || (receiver.received_at("/hook").len() == 1).then_some(()))
        .await;
    let heads = heads.lock().unwrap();
    assert!(heads[0].starts_with(&format!("CONNECT {HOST}:443 HTTP/1.1\r\n")), "{}", heads[0]);
    assert!(heads[0].to_lowercase().contains("proxy-authorization: basic "), "{}", heads[0]);
}
