//! `millrace serve` with JSON Web Tokens, of builds with the feature `jwt`.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use millrace_testkit::eventually;
use millrace_testkit::kafka::Isolation;
use reqwest::StatusCode;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::access::{BOUND, Edge, broker, plain};

const ISSUER: &str = "https://issuer.example";

/// 2100-01-01
const FAR: u64 = 4_102_444_800;

/// Who signs tokens.
struct Issuer(Ed25519KeyPair);

impl Issuer {
    fn new() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
    }

    /// Its key set, as it publishes it.
    fn keys(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key().as_ref());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "x": x}]}).to_string()
    }

    fn token(&self, scope: &str, audience: &str, expires: u64) -> String {
        let claims = json!({"iss": ISSUER, "aud": audience, "sub": "shop", "exp": expires, "scope": scope});
        let encoded = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encoded(&json!({"alg": "EdDSA", "kid": "1"})), encoded(&claims));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.0.sign(signed.as_bytes())))
    }
}

#[tokio::test]
async fn a_token_says_who_sent_an_event_and_what_it_may_do() {
    let Some(kafka) = broker().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let issuer = Issuer::new();
    fs::write(&file, issuer.keys()).unwrap();
    let expected = ["--jwt-issuer", ISSUER, "--jwt-audience", "millrace", "--jwt-use-scopes"];
    let arguments = [&["--jwt-jwks", file.to_str().unwrap()][..], &expected].concat();
    let edge = Edge::start(&kafka, plain(), "http", &arguments).await;

    let own = issuer.token("openid orders.write", "millrace", FAR);
    assert_eq!(edge.order(Some(&own)).await, StatusCode::ACCEPTED);
    assert_eq!(edge.order(None).await, StatusCode::UNAUTHORIZED);
    let refused = [
        issuer.token("orders.write", "another", FAR),
        issuer.token("orders.write", "millrace", 1),
        Issuer::new().token("orders.write", "millrace", FAR),
        format!("{own}A"),
    ];
    for token in &refused {
        assert_eq!(edge.order(Some(token)).await, StatusCode::UNAUTHORIZED, "{token}");
    }
    let reader = issuer.token("events.read", "millrace", FAR);
    assert_eq!(edge.order(Some(&reader)).await, StatusCode::FORBIDDEN);
    let orders = kafka.read_all("orders", Isolation::Committed).await;
    let senders = orders.iter().map(|order| (order.header("ce_authid"), order.header("ce_authtype")));
    assert_eq!(senders.collect::<Vec<_>>(), [(Some("shop"), Some("unknown"))]);

    // The issuer changes its key.
    let next = Issuer::new();
    fs::write(&file, next.keys()).unwrap();
    let of_next = next.token("*", "millrace", FAR);
    let taken = async || (edge.order(Some(&of_next)).await == StatusCode::ACCEPTED).then_some(());
    eventually(BOUND, "a token of the new key is accepted", taken).await;
    assert_eq!(edge.order(Some(&own)).await, StatusCode::UNAUTHORIZED, "the old key is not there any more");
    let log = edge.stop().await;
    assert!(refused.iter().all(|token| !log.contains(token)), "no credential is logged");
}

#[tokio::test]
async fn the_keys_of_an_issuer_are_fetched() {
    let Some(kafka) = broker().await else { return };
    let issuer = Issuer::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys.json", listener.local_addr().unwrap());
    let keys = issuer.keys();
    let published = axum::Router::new().fallback(async move || keys.clone());
    tokio::spawn(async { axum::serve(listener, published).await.unwrap() });
    let arguments = ["--jwt-jwks", &url, "--jwt-issuer", ISSUER, "--jwt-audience", "millrace"];
    let edge = Edge::start(&kafka, plain(), "http", &arguments).await;
    assert_eq!(
        edge.order(Some(&issuer.token("", "millrace", FAR))).await,
        StatusCode::ACCEPTED,
        "it may do everything"
    );
    assert_eq!(edge.order(Some(&Issuer::new().token("", "millrace", FAR))).await, StatusCode::UNAUTHORIZED);
    edge.stop().await;
}
