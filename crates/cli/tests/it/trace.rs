//! `millrace trace`: the hops of events that went through `millrace dev` on a real Kafka.

use std::path::Path;
use std::time::Duration;

use millrace_testkit::kafka::{self, Isolation, Kafka, RawRecord};
use millrace_testkit::wait::eventually;
use millrace_testkit::webhook::{Answer, WebhookReceiver};
use serde_json::{Value, json};

use crate::dev::{edge_of, post};
use crate::millrace::{Ended, Millrace};

const BOUND: Duration = Duration::from_secs(60);

/// Traces an id with these options.
async fn trace(id: &str, data_dir: &Path, more: &[&str]) -> Ended {
    let data_dir = ["--data-dir", data_dir.to_str().unwrap()];
    Millrace::new(["trace", id].into_iter().chain(data_dir).chain(more.iter().copied())).run().await
}

/// The hops of an id, once one of them is of this kind.
async fn hops(id: &str, data_dir: &Path, last: &str, more: &[&str]) -> Vec<Value> {
    eventually(BOUND, &format!("{id} is {last}"), async || {
        let traced = trace(id, data_dir, &[&["--json"], more].concat()).await;
        let found: Value = serde_json::from_str(&traced.stdout).unwrap_or_else(|_| panic!("{traced:?}"));
        assert_eq!(found["id"], id);
        let hops = found["hops"].as_array().unwrap().clone();
        assert_eq!(traced.code, Some(i32::from(hops.is_empty())), "{traced:?}");
        let times: Vec<&str> = hops.iter().map(|hop| hop["at"].as_str().unwrap()).collect();
        assert!(times.iter().all(|time| time.parse::<jiff::Timestamp>().is_ok()), "{times:?}");
        hops.iter().any(|hop| hop["hop"] == last).then_some(hops)
    })
    .await
}

fn kinds(hops: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<&str> = hops.iter().map(|hop| hop["hop"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds
}

fn hop<'h>(hops: &'h [Value], kind: &str) -> &'h Value {
    hops.iter().find(|hop| hop["hop"] == kind).unwrap_or_else(|| panic!("no {kind} in {hops:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_followed_from_the_edge_to_where_it_ends() {
    let Some(kafka) = kafka::dedicated(|broker| broker).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let hook = WebhookReceiver::start().await.unwrap();
    hook.answer("/gone", [Answer::status(reqwest::StatusCode::GONE)]);
    let config = folder.path().join("notifier.toml");
    std::fs::write(
        &config,
        format!(
            "[destinations.log]\ntype = \"console\"\n[destinations.crm]\ntype = \"webhook\"\nurl = \"{}\"\nsecrets = [\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]\n\
             [[routes]]\nusers = [\"gone\"]\nto = [\"crm\"]\n[[routes]]\nusers = [\"12345\"]\nto = [\"log\"]\n",
            hook.url("/gone")
        ),
    )
    .unwrap();
    let arguments = ["dev", "--listen", "127.0.0.1:0", "--kafka", kafka.bootstrap_servers(), "--data-dir"];
    let arguments = arguments.into_iter().chain([data_dir.to_str().unwrap(), "--notifier-config"]);
    let mut dev = Millrace::new(arguments.chain([config.to_str().unwrap()])).start();
    let edge = edge_of(&mut dev).await;

    let order = json!({"order_id": "101", "user_id": "12345", "amount": 10}).to_string();
    post(&edge, "/orders", Some("order-1"), &order).await;
    let gone = json!({"user_id": "gone", "message": "hello"}).to_string();
    post(&edge, "/send-notification", Some("gone-1"), &gone).await;
    let log = json!({"time": "2026-01-31T12:00:00Z", "service": "checkout", "level": "error", "msg": "declined"});
    post(&edge, "/logs", None, &log.to_string()).await;
    let foreign = ["{\"by\": \"another program\"}", "no JSON"].map(|value| RawRecord::new(value).partition(0));
    kafka.produce("events", foreign).await;

    // An order's payment has an id of its own, and is delivered under that.
    let order = hops("order-1", &data_dir, "delivered", &[]).await;
    assert_eq!(kinds(&order), ["accepted", "delivered", "kafka", "paid", "stored"], "{order:#?}");
    let paid = hop(&order, "paid");
    assert_eq!(
        (&paid["status"], &paid["order_id"], &paid["topic"]),
        (&json!("paid"), &json!("101"), &json!("payments"))
    );
    assert_eq!(hop(&order, "delivered")["id"], paid["id"]);
    assert_eq!(hop(&order, "kafka")["where"], format!("orders-{}-0", hop(&order, "kafka")["partition"]));
    assert_eq!(hop(&order, "accepted")["where"], "/millrace/edge");

    let gone = hops("gone-1", &data_dir, "dead_letter", &[]).await;
    assert_eq!(kinds(&gone), ["accepted", "attempt", "dead_letter", "failed", "kafka"], "{gone:#?}");
    assert_eq!((&hop(&gone, "attempt")["where"], &hop(&gone, "failed")["where"]), (&json!("crm"), &json!("crm")));
    assert!(hop(&gone, "attempt")["error"].as_str().unwrap().contains("410"), "{gone:#?}");
    assert_eq!(hop(&gone, "dead_letter")["group"], "millrace-notifier");
    assert_eq!(hop(&gone, "dead_letter")["source"], hop(&gone, "kafka")["where"]);

    // A record without an id goes under its position.
    let foreign = hops("events-0-0", &data_dir, "stored", &[]).await;
    assert_eq!(kinds(&foreign), ["kafka", "stored"], "{foreign:#?}");

    let refused = hops("events-0-1", &data_dir, "dead_letter", &[]).await;
    assert_eq!(kinds(&refused), ["dead_letter", "kafka"], "{refused:#?}");
    assert_eq!(hop(&refused, "dead_letter")["source"], "events-0-1");

    let id = log_id(&kafka).await;
    let log = hops(&id, &data_dir, "cleaned", &[]).await;
    assert_eq!(kinds(&log), ["accepted", "cleaned", "kafka", "kafka", "raw"], "{log:#?}");
    let cleaned = hop(&log, "cleaned");
    assert!(cleaned["where"].as_str().unwrap().starts_with("cleaned/dt=2026-01-31/hour=12/"), "{cleaned}");
    assert_eq!((&cleaned["body"], &cleaned["line"]), (&json!("declined"), &json!(1)));
    assert_eq!(cleaned["source"], hop(&log, "raw")["where"]);

    let unknown = trace("nobody-knows-it", &data_dir, &[]).await;
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(1), ""));
    assert!(
        unknown.stderr.contains("nothing is known of nobody-knows-it; looked at: Kafka on 127.0.0.1:"),
        "{unknown:?}"
    );
    assert!(unknown.stderr.contains("the database sqlite://") && unknown.stderr.contains("the lake "), "{unknown:?}");
    let table = trace("order-1", &data_dir, &[]).await.ok();
    assert!(table.starts_with("AT ") && table.contains(" paid ") && table.contains("status=paid"), "{table}");

    // What dev leaves behind is still found, also where nothing but the id says when the line was shipped.
    dev.signal("TERM");
    dev.end().await.ok();
    let left = hops(&id, &data_dir, "cleaned", &[]).await;
    assert_eq!(kinds(&left), ["cleaned", "raw"], "{left:#?}");
    let left = hops("order-1", &data_dir, "stored", &[]).await;
    assert_eq!(kinds(&left), ["delivered", "paid", "stored"], "{left:#?}");
    assert_eq!(hop(&left, "paid")["status"], "paid");
    let records =
        hops("order-1", &folder.path().join("elsewhere"), "paid", &["--kafka", kafka.bootstrap_servers()]).await;
    assert_eq!(kinds(&records), ["accepted", "kafka", "paid"], "{records:#?}");

    // What one place does not answer hides nothing of the others, and nothing is made where something was looked for.
    let missing = folder.path().join("mistyped.db");
    let database = format!("sqlite://{}", missing.display());
    let elsewhere = folder.path().join("elsewhere");
    let part = trace("order-1", &elsewhere, &["--kafka", kafka.bootstrap_servers(), "--database", &database]).await;
    assert_eq!(part.code, Some(1), "{part:?}");
    assert!(part.stdout.contains(" paid ") && part.stderr.contains("not looked at: the database: "), "{part:?}");
    assert!(part.stderr.contains("there is no file") && !missing.exists(), "{part:?}");
    let part = trace(
        "order-1",
        &data_dir,
        &["--kafka", "127.0.0.1:1", "--database", &format!("sqlite://{}/millrace.db", data_dir.display())],
    )
    .await;
    assert_eq!(part.code, Some(1), "{part:?}");
    assert!(part.stdout.contains(" delivered ") && part.stderr.contains("127.0.0.1:1"), "{part:?}");

    // An id like the edge's, by a clock that is ahead.
    let ahead = "7fffffff-ffff-7000-8000-000000000000";
    let record = RawRecord::new("{}").header("ce_id", ahead).partition(0);
    kafka.produce("events", [record]).await;
    let found = hops(ahead, &elsewhere, "kafka", &["--kafka", kafka.bootstrap_servers()]).await;
    assert_eq!(kinds(&found), ["kafka"], "{found:#?}");
    let late = ["--kafka", kafka.bootstrap_servers(), "--since", "2199-01-01T00:00:00Z", "--json"];
    let late = trace("order-1", &folder.path().join("elsewhere"), &late).await;
    assert_eq!((late.code, late.stdout.as_str()), (Some(1), "{\"hops\":[],\"id\":\"order-1\"}\n"));
}

/// The id of the only log record.
async fn log_id(kafka: &Kafka) -> String {
    let logs = kafka.read_all("raw-logs", Isolation::Committed).await;
    assert_eq!(logs.len(), 1);
    logs[0].header("ce_id").unwrap().to_owned()
}

#[tokio::test]
async fn without_anything_to_look_at_the_broker_is_asked_for() {
    let traced = Millrace::new(["trace", "a"]).run().await;
    assert_eq!(traced.code, Some(2), "{traced:?}");
    assert!(traced.stderr.contains("--kafka (KAFKA_BOOTSTRAP_SERVERS): no broker given"), "{traced:?}");
    let traced = Millrace::new(["trace", "a", "--lake", "nowhere"]).run().await;
    assert_eq!(traced.code, Some(2), "{traced:?}");
    assert!(traced.stderr.contains("--lake (MILLRACE_LAKE): there is no folder nowhere"), "{traced:?}");
}
