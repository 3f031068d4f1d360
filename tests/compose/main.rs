//! docker-compose.yml, really started, with the images of the Dockerfile. `scripts/compose` makes these and starts this.
#![allow(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod monitoring;
mod stack;

use std::path::Path;
use std::time::{Duration, Instant};

use millrace_testkit::eventually;
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};

use crate::stack::{Stack, docker};

const BOUND: Duration = Duration::from_secs(120);

const PROGRAMS: [&str; 6] = ["edge", "event-store", "log-shipper", "login-insights", "notifier", "payments"];

/// Ids of so many events.
fn ids(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
}

/// Accepted by the edge: notifications to the user `user`.
async fn notified(stack: &Stack, ids: &[String]) {
    for id in ids {
        let body = json!({"user_id": "12345", "message": id});
        assert!(stack.post("MILLRACE_PORT", "/send-notification", id, &body).await, "{id}");
    }
}

/// Waits until these are delivered and mailed, and returns how often each of them was mailed.
async fn mailed(stack: &Stack, ids: &[String]) -> Vec<usize> {
    for id in ids {
        stack.found(&format!("/notifications/{id}"), |found| found["status"] == "delivered").await;
    }
    let url = stack.url("MAIL_PORT", "/api/v1/messages?limit=1000");
    // Delivered by one destination, of two.
    eventually(BOUND, "all are mailed", async || {
        let mails: Value = stack.http.get(&url).send().await.ok()?.text().await.ok()?.parse().unwrap();
        let texts: Vec<_> = mails["messages"].as_array().unwrap().iter().map(|mail| mail["Snippet"].clone()).collect();
        let counts: Vec<_> = ids.iter().map(|id| texts.iter().filter(|text| **text == json!(id)).count()).collect();
        counts.iter().all(|count| *count > 0).then_some(counts)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_broker() {
    let begun = Instant::now();
    let stack = Stack::start("one", &[], &[]).await;
    let first = ids("first", 1);
    notified(&stack, &first).await;
    assert_eq!(mailed(&stack, &first).await, [1]);
    println!("started, and the first notification delivered, in {:.0?}", begun.elapsed());

    for program in PROGRAMS {
        let container = stack.inspect(program).await;
        assert_eq!(container["HostConfig"]["ReadonlyRootfs"], true, "{program}");
        assert_eq!(container["Config"]["User"], "65532:65532", "{program}");
        assert_eq!(container["State"]["Health"]["Status"], "healthy", "{program}");
    }
    an_order_is_paid(&stack).await;
    an_insight_is_an_object(&stack).await;
    a_stopped_consumer_resumes(&stack).await;
    a_container_over_its_memory_limit_loses_nothing(&stack).await;
}

async fn an_order_is_paid(stack: &Stack) {
    let order = json!({"order_id": "101", "user_id": "12345", "amount": 10});
    assert!(stack.post("MILLRACE_PORT", "/orders", "order-1", &order).await);
    let is_settled = |status: &Value| {
        status["consumers"]["payments"]["processed"] == 1 && status["consumers"]["event-store"]["processed"] == 1
    };
    stack.found("/get_status", is_settled).await;
}

async fn an_insight_is_an_object(stack: &Stack) {
    for id in ids("login", 100) {
        assert!(stack.post("MILLRACE_PORT", "/user-login", &id, &json!({"user_id": id})).await);
    }
    let bucket = stack.url("LOCALSTACK_PORT", "/millrace?list-type=2&prefix=insights/");
    eventually(BOUND, "insights are in the bucket", async || {
        let list = stack.http.get(&bucket).send().await.ok()?.text().await.ok()?;
        list.contains("<Key>insights/insights_").then_some(())
    })
    .await;
}

async fn a_stopped_consumer_resumes(stack: &Stack) {
    stack.compose(&["stop", "notifier"]).await;
    let stopped = stack.inspect("notifier").await;
    assert_eq!((&stopped["State"]["ExitCode"], &stopped["RestartCount"]), (&json!(0), &json!(0)), "it drained");
    let waiting = ids("waiting", 100);
    notified(stack, &waiting).await;
    stack.compose(&["start", "notifier"]).await;
    assert_eq!(mailed(stack, &waiting).await, vec![1; waiting.len()]);
}

/// The event store's limit is lowered to about what it takes, and large events are sent until the kernel has killed it.
async fn a_container_over_its_memory_limit_loses_nothing(stack: &Stack) {
    let container = stack.container("event-store").await;
    let limited = async |mebibytes: u64| {
        let limit = format!("{mebibytes}m");
        docker(&["update", "--memory", &limit, "--memory-swap", &limit, &container]).await
    };
    // Less than what is in use is refused, where the kernel cannot take it back.
    let mut limit = 16;
    while let Err(error) = limited(limit).await {
        assert!(limit < 256, "{error}");
        limit += 2;
    }
    let mut events = Vec::new();
    eventually(BOUND, "the container is killed and started again", async || {
        let id = format!("large-{}", events.len());
        let body = json!({"text": "x".repeat(200_000)});
        assert!(stack.post("MILLRACE_PORT", "/register_event", &id, &body).await);
        events.push(id);
        (stack.inspect("event-store").await["RestartCount"].as_u64() > Some(0)).then_some(())
    })
    .await;
    println!("killed at {limit} MiB with {} large events", events.len());
    limited(256).await.unwrap();
    stack.stored(&events).await;
    stack.healthy("event-store").await;
}

/// The engine's socket, for LocalStack.
fn socket() -> String {
    let host = std::env::var("DOCKER_HOST").ok();
    host.and_then(|host| host.strip_prefix("unix://").map(str::to_owned)).unwrap_or("/var/run/docker.sock".to_owned())
}

/// The shipped zip, where it is packaged: LocalStack runs it, and answers under its own host name.
#[tokio::test(flavor = "multi_thread")]
async fn the_edge_as_a_function() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/manifest.json");
    if !manifest.exists() {
        return millrace_testkit::missing::skip("packaged function", "`cargo xtask package` makes dist/manifest.json");
    }
    let stack = Stack::start("lambda", &["--profile", "lambda"], &[("DOCKER_SOCKET", &socket())]).await;
    let body = json!({"user_id": "12345", "text": "é"});
    assert!(stack.post("LAMBDA_EDGE_PORT", "/register_event", "by-function", &body).await);
    let event = stack.found("/events/by-function", |event| event["key"] == "12345").await;
    assert_eq!(event["data"], body);
    let url = stack.url("LAMBDA_EDGE_PORT", "/events/by-function");
    let read: Value = stack.http.get(url).send().await.unwrap().text().await.unwrap().parse().unwrap();
    assert_eq!(read, event, "both edges answer the same");
}

/// A 2xx means two copies: what was acknowledged before, while and after a broker is killed is stored.
#[tokio::test(flavor = "multi_thread")]
async fn three_brokers() {
    let stack = Stack::start(
        "cluster",
        &["--profile", "cluster"],
        &[("KAFKA_BROKERS", "3"), ("KAFKA_MIN_INSYNC_REPLICAS", "2")],
    )
    .await;
    let topics = stack.found("/get_status", |status| status["kafka"]["brokers"] == 3).await;
    assert_eq!(topics["status"], "ok");
    let mut accepted = Vec::new();
    for id in ids("cluster", 300) {
        if accepted.len() == 100 {
            docker(&["kill", &stack.container("kafka-2").await]).await.unwrap();
        }
        let body = json!({"user_id": id});
        // A 503 or 504 may be retried with the same id.
        eventually(BOUND, "an event is accepted", async || {
            stack.post("MILLRACE_PORT", "/register_event", &id, &body).await.then_some(())
        })
        .await;
        accepted.push(id);
    }
    stack.stored(&accepted).await;
    stack.compose(&["start", "kafka-2"]).await;
    stack.found("/get_status", |status| status["kafka"]["brokers"] == 3).await;
}

/// A row on the topic, as the function log-clean writes it, is found.
#[tokio::test(flavor = "multi_thread")]
async fn search() {
    let stack = Stack::start_services("search", &["--profile", "search"], &[], &["log-indexer"]).await;
    let container = stack.inspect("log-indexer").await;
    assert_eq!(container["HostConfig"]["ReadonlyRootfs"], true);
    assert_eq!(container["State"]["Health"]["Status"], "healthy");
    let time = jiff::Timestamp::now();
    let row = json!({"id": "a", "time": time, "service": "checkout", "body": "payment declined", "attributes": {"user.id": "u1"}});
    let broker = stack.url("KAFKA_PORT", "").replace("http://", "");
    let producer: FutureProducer = ClientConfig::new().set("bootstrap.servers", broker).create().unwrap();
    let headers = OwnedHeaders::new().insert(Header { key: "ce_id", value: Some("a") });
    let value = row.to_string();
    let record = FutureRecord::to("cleaned-logs").key("checkout").payload(&value).headers(headers);
    producer.send(record, BOUND).await.unwrap();
    let index = time.strftime("millrace-logs-%Y.%m.%d");
    let found = stack.found_at("OPENSEARCH_PORT", &format!("/{index}/_doc/a"), |found| found["found"] == true).await;
    assert_eq!(found["_source"], row);
}
