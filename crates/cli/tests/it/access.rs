//! `millrace serve` with API keys, rates and TLS.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::join_all;
use millrace_testkit::kafka::Isolation;
use millrace_testkit::{Kafka, eventually, kafka};
use reqwest::{Certificate, Client, Response, StatusCode};
use serde_json::{Value, json};

use crate::millrace::{Millrace, Running};

pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// A broker with the topics.
pub(crate) async fn broker() -> Option<Kafka> {
    let kafka = kafka::dedicated(|builder| builder).await?;
    Millrace::new(["topics", "apply", "--kafka", kafka.bootstrap_servers()]).run().await.ok();
    Some(kafka)
}

/// A new key of this sender and its scopes: the key, and its entry in the file.
async fn new_key(name: &str, scopes: &str) -> (String, String) {
    let ended = Millrace::new(["api-key", name, "--scopes", scopes]).run().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let key = ended.stderr.trim().rsplit(' ').next().unwrap().to_owned();
    assert!(!ended.stdout.contains(&key));
    (key, ended.stdout)
}

/// The edge, and how it is asked.
pub(crate) struct Edge {
    serve: Running,
    client: Client,
    url: String,
}

impl Edge {
    pub(crate) async fn start(kafka: &Kafka, client: Client, scheme: &str, arguments: &[&str]) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let fixed = ["serve", "--listen", &address, "--kafka", kafka.bootstrap_servers()];
        let serve = Millrace::new(fixed.into_iter().chain(arguments.iter().copied())).start();
        let url = format!("{scheme}://{address}");
        let edge = Self { serve, client, url };
        let serves = async || edge.client.get(format!("{}/health", edge.url)).send().await.ok().map(drop);
        eventually(BOUND, "it serves", serves).await;
        edge
    }

    async fn get(&self, path: &str, key: Option<&str>) -> Response {
        let request = self.client.get(format!("{}{path}", self.url));
        key.into_iter().fold(request, |request, key| request.header("x-api-key", key)).send().await.unwrap()
    }

    async fn post(&self, path: &str, content_type: &str, key: Option<&str>, body: &Value) -> Response {
        let request = self.client.post(format!("{}{path}", self.url)).header("content-type", content_type);
        let request = key.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
        request.body(body.to_string()).send().await.unwrap()
    }

    pub(crate) async fn order(&self, key: Option<&str>) -> StatusCode {
        self.post("/orders", "application/json", key, &json!({"order_id": "1"})).await.status()
    }

    /// Stops it, and returns what it logged.
    pub(crate) async fn stop(self) -> String {
        self.serve.signal("TERM");
        let ended = self.serve.end().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stderr
    }
}

pub(crate) fn plain() -> Client {
    // reqwest makes no client without one; another test may have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().timeout(BOUND).build().unwrap()
}

async fn json_of(answer: Response) -> Value {
    answer.text().await.unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_api_key_says_who_sent_an_event_and_what_it_may_do() {
    let Some(kafka) = broker().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.toml");
    let (shop, entry) = new_key("shop", "orders.write,status.read").await;
    fs::write(&file, &entry).unwrap();
    let edge = Edge::start(&kafka, plain(), "http", &["--api-keys", file.to_str().unwrap()]).await;

    let refused = edge.post("/orders", "application/json", None, &json!({"order_id": "1"})).await;
    assert_eq!(refused.headers()["www-authenticate"], "Bearer");
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    assert!(refused.headers().contains_key("x-request-id"));
    let problem = json_of(refused).await;
    assert_eq!((&problem["status"], &problem["title"]), (&json!(401), &json!("Unauthorized")), "{problem}");
    assert_eq!(edge.order(Some("millrace_guess")).await, StatusCode::UNAUTHORIZED);
    assert_eq!(edge.order(Some(&shop)).await, StatusCode::ACCEPTED);
    assert_eq!(edge.get("/get_status", Some(&shop)).await.status(), StatusCode::OK, "X-API-Key works as well");
    for (path, status) in [("/health", 200), ("/openapi.json", 200), ("/nowhere", 404), ("/metrics", 401)] {
        assert_eq!(edge.get(path, None).await.status().as_u16(), status, "{path}");
    }
    for path in ["/events/1", "/metrics"] {
        let answer = edge.get(path, Some(&shop)).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
        assert_eq!(answer.headers()["www-authenticate"], r#"Bearer error="insufficient_scope""#, "{path}");
        assert!(answer.text().await.unwrap().contains("shop is not allowed"), "{path}");
    }

    // Each event of a batch needs the scope of its topic, and none can name another sender.
    let event = |id: &str, kind: &str| {
        json!({
            "specversion": "1.0", "id": id, "source": "/s", "type": kind, "authid": "root", "authtype": "system",
            "data": {"order_id": "2"},
        })
    };
    let batch = json!([event("b1", "millrace.order.placed"), event("b2", "com.example.page")]);
    let answer = edge.post("/events", "application/cloudevents-batch+json", Some(&shop), &batch).await;
    assert_eq!(answer.status(), StatusCode::MULTI_STATUS);
    let results = json_of(answer).await;
    assert_eq!(results["results"][0]["status"], "accepted", "{results}");
    assert_eq!(results["results"][1]["error"]["status"], 403, "{results}");
    let one = edge.post("/events", "application/cloudevents+json", Some(&shop), &event("c", "com.example.page")).await;
    assert_eq!(one.status(), StatusCode::FORBIDDEN);
    assert!(kafka.read_all("events", Isolation::Committed).await.is_empty());
    let orders = kafka.read_all("orders", Isolation::Committed).await;
    assert_eq!(orders.len(), 2);
    for order in &orders {
        assert_eq!((order.header("ce_authid"), order.header("ce_authtype")), (Some("shop"), Some("api_key")));
    }

    // The load generator has a key, too.
    let load = ["load", "--url", &edge.url, "--kind", "order", "--count", "20"];
    let refused = Millrace::new(load).run().await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stdout.contains("401") || refused.stderr.contains("401"), "{refused:?}");
    Millrace::new(load).env("MILLRACE_API_KEY", &shop).run().await.ok();

    // The file is read again; a wrong one is not taken.
    let (other, other_entry) = new_key("other", "*").await;
    fs::write(&file, format!("{entry}\n{other_entry}")).unwrap();
    let taken = async || (edge.order(Some(&other)).await == StatusCode::ACCEPTED).then_some(());
    eventually(BOUND, "a new key is taken", taken).await;
    assert_eq!(edge.get("/metrics", Some(&other)).await.status(), StatusCode::OK);
    fs::write(&file, &other_entry).unwrap();
    let gone = async || (edge.order(Some(&shop)).await == StatusCode::UNAUTHORIZED).then_some(());
    eventually(BOUND, "a key that is not there any more is refused", gone).await;

    let log = edge.stop().await;
    let audit: Vec<Value> = log.lines().filter_map(|line| line.parse().ok()).collect();
    let audit: Vec<&Value> = audit.iter().filter(|line| line["target"] == "audit").collect();
    assert_eq!(audit[0]["message"], "credential refused", "{log}");
    assert_eq!((&audit[0]["reason"], &audit[0]["path"]), (&json!("no credential"), &json!("/orders")), "{log}");
    assert!(audit.iter().any(|line| line["reason"] == "shop lacks events.read"), "{log}");
    let by_topic = audit.iter().filter(|line| line["path"] == "/events" && line["reason"] == "shop lacks events.write");
    assert_eq!(by_topic.count(), 2, "one a request: {log}");
    assert!(audit.iter().all(|line| line["address"] == "127.0.0.1"), "{log}");
    assert!(!log.contains(&shop) && !log.contains("millrace_guess"), "no credential is logged");
}

/// As a container gets them, from a secret.
#[tokio::test]
async fn api_keys_may_be_a_variables_text() {
    let Some(kafka) = broker().await else { return };
    let (key, entry) = new_key("shop", "orders.write").await;
    let edge = Edge::start(&kafka, plain(), "http", &["--api-keys-text", &entry]).await;
    assert_eq!(edge.order(Some(&key)).await, StatusCode::ACCEPTED);
    assert_eq!(edge.order(None).await, StatusCode::UNAUTHORIZED);
    edge.stop().await;
    let fixed = ["serve", "--listen", "127.0.0.1:0", "--kafka", "127.0.0.1:1"];
    let ended = Millrace::new(fixed).env("MILLRACE_API_KEYS_TEXT", "secret").run().await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("--api-keys-text (MILLRACE_API_KEYS_TEXT)"), "{ended:?}");
    assert!(!ended.stderr.contains("secret"), "what it is may be a key: {ended:?}");
}

#[tokio::test]
async fn a_rate_is_a_callers_own() {
    let Some(kafka) = broker().await else { return };
    let arguments = ["--rate-limit", "1", "--rate-limit-burst", "2", "--trusted-proxies", "1"];
    let edge = Edge::start(&kafka, plain(), "http", &arguments).await;
    let order = async |client: &str| {
        let request = edge.client.post(format!("{}/orders", edge.url)).header("content-type", "application/json");
        request.header("x-forwarded-for", client).body(r#"{"order_id": "1"}"#).send().await.unwrap()
    };
    // More at once than a slow machine can spread over so many seconds.
    let answers = join_all((0..30).map(|_| order("203.0.113.7"))).await;
    let accepted = answers.iter().filter(|answer| answer.status() == StatusCode::ACCEPTED).count();
    assert!((2..30).contains(&accepted), "{accepted}");
    let answers = join_all((0..30).map(|_| order("1.2.3.4, 203.0.113.7"))).await;
    let limited = answers.into_iter().find(|answer| answer.status() == StatusCode::TOO_MANY_REQUESTS);
    let limited = limited.expect("what the client itself sent does not count");
    assert_eq!(limited.headers()["retry-after"], "1");
    assert_eq!(json_of(limited).await["status"], 429);
    // Senders by OTLP are told in their own form.
    let logs = async || {
        let request = edge.client.post(format!("{}/v1/logs", edge.url)).header("content-type", "application/json");
        request.header("x-forwarded-for", "203.0.113.9").body("{}").send().await.unwrap()
    };
    let answers = join_all((0..30).map(|_| logs())).await;
    let limited = answers.into_iter().find(|answer| answer.status() == StatusCode::TOO_MANY_REQUESTS);
    let limited = limited.expect("there are too many");
    assert_eq!(limited.headers()["retry-after"], "2");
    assert_eq!(limited.headers()["content-type"], "application/json");
    assert!(json_of(limited).await["message"].as_str().is_some_and(|message| message.contains("too many requests")));
    assert_eq!(order("203.0.113.8").await.status(), StatusCode::ACCEPTED);
    assert_eq!(edge.get("/health", None).await.status(), StatusCode::OK);
    edge.stop().await;
}

/// A certificate for 127.0.0.1 that signs itself, written as PEM files.
fn certificate(cert: &Path, key: &Path) -> Certificate {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(key, pem("PRIVATE KEY", &made.signing_key.serialize_der())).unwrap();
    fs::write(cert, pem("CERTIFICATE", made.cert.der())).unwrap();
    Certificate::from_der(made.cert.der()).unwrap()
}

fn pem(kind: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")
}

fn trusting(certificate: Certificate) -> Client {
    plain();
    // A connection of its own for each client: kept ones have the certificate of their handshake.
    let builder = Client::builder().no_proxy().timeout(BOUND).pool_max_idle_per_host(0);
    builder.tls_certs_only([certificate]).build().unwrap()
}

#[tokio::test]
async fn https_is_served_and_a_renewed_certificate_is_taken() {
    let Some(kafka) = broker().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let [cert, key]: [PathBuf; 2] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    let first = trusting(certificate(&cert, &key));
    let arguments = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let mut edge = Edge::start(&kafka, first.clone(), "https", &arguments).await;
    assert_eq!(edge.order(None).await, StatusCode::ACCEPTED);

    let address = edge.url.strip_prefix("https://").unwrap().to_owned();
    let check = ["serve", "--health-check", "--listen", &address, "--kafka", kafka.bootstrap_servers()];
    let checked = Millrace::new(check.into_iter().chain(arguments)).run().await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let over_plain_text = plain().get(format!("http://{address}/health")).send().await;
    assert!(over_plain_text.is_err(), "{over_plain_text:?}");

    edge.client = trusting(certificate(&cert, &key));
    let taken = async || edge.client.get(format!("{}/health", edge.url)).send().await.ok().map(drop);
    eventually(BOUND, "the new certificate is used", taken).await;
    assert!(first.get(format!("{}/health", edge.url)).send().await.is_err(), "the old one is not");

    // A pair that is not taken harms nothing: it serves, and its health check says so.
    fs::write(&cert, "no certificate").unwrap();
    assert_eq!(edge.order(None).await, StatusCode::ACCEPTED);
    let checked = Millrace::new(check.into_iter().chain(arguments)).run().await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let silent = tokio::net::TcpStream::connect(&address).await.unwrap();
    let stopped = std::time::Instant::now();
    edge.stop().await;
    assert!(stopped.elapsed() < Duration::from_secs(8), "a handshake that does not come holds up no stop");
    drop(silent);
}

#[tokio::test]
async fn wrong_settings_are_named() {
    let (_, entry) = new_key("shop", "*").await;
    for (arguments, said) in [
        (vec!["--tls-cert", "cert.pem"], "--tls-key"),
        (vec!["--tls-cert", "cert.pem", "--tls-key", "keys.toml"], "--tls-cert (MILLRACE_TLS_CERT): cert.pem"),
        (vec!["--api-keys", "none.toml"], "--api-keys (MILLRACE_API_KEYS): none.toml"),
        (vec!["--api-keys", "wrong.toml"], "the key shop: there is no scope order.write"),
        (vec!["--rate-limit-burst", "3"], "--rate-limit"),
        (vec!["--jwt-jwks", "keys.toml"], "--jwt-issuer"),
    ] {
        let fixed = ["serve", "--listen", "127.0.0.1:0", "--kafka", "127.0.0.1:1"];
        let serve = Millrace::new(fixed.into_iter().chain(arguments.iter().copied()));
        let serve = serve.file("keys.toml", &entry).file("wrong.toml", &entry.replace('*', "order.write"));
        let ended = serve.run().await;
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(said), "{arguments:?}: {}", ended.stderr);
    }
    for flag in [
        "api-keys",
        "api-keys-text",
        "jwt-jwks",
        "jwt-issuer",
        "jwt-audience",
        "jwt-use-scopes",
        "rate-limit",
        "rate-limit-burst",
        "trusted-proxies",
    ] {
        let variable = format!("MILLRACE_{}", flag.replace('-', "_").to_uppercase());
        let empty = Millrace::new(["serve", "--kafka", "127.0.0.1:1"]).env(&variable, "").run().await;
        assert_eq!(empty.code, Some(2), "an empty {variable} would leave all open: {empty:?}");
        assert!(empty.stderr.contains(&format!("--{flag} ({variable}): is empty")), "{empty:?}");
    }
    let unknown = Millrace::new(["api-key", "shop", "--scopes", "order.write"]).run().await;
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(unknown.stderr.contains("there is no scope order.write") && unknown.stdout.is_empty(), "{unknown:?}");
}
