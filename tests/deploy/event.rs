//! An event's way: API Gateway, the function, Kafka, the consumer with its task's environment, PostgreSQL, and back.

use millrace_testkit::Kafka;
use millrace_testkit::eventually;
use millrace_testkit::kafka::{Isolation, RawRecord};
use serde_json::{Value, json};

use crate::emulators::Emulators;
use crate::task::{self, BOUND};
use crate::terraform::State;

/// Sends one, and finds it on Kafka and in the answer to `GET /events/{id}`.
pub(crate) async fn is_written_stored_and_found(
    emulators: &Emulators,
    state: &State,
    kafka: &Kafka,
    database_url: &str,
) {
    assert_eq!(state.output("topics")["outcome"], "applied", "the function topics has made them");
    let api = Api::of(emulators, state);

    let answer = api.post("/register_event", "deployed-1", &json!({"user_id": "12345", "page": "/"})).await;
    assert_eq!((&answer["id"], &answer["topic"]), (&json!("deployed-1"), &json!("events")), "{answer}");
    let records = kafka.read_all("events", Isolation::Committed).await;
    let written = records.iter().find(|record| record.header("ce_id") == Some("deployed-1"));
    assert_eq!(written.and_then(|record| record.value_text()), Some(r#"{"page":"/","user_id":"12345"}"#));

    let environment = task::environment(state, "event-store");
    assert_eq!(environment.iter().find(|(name, _)| name == "DATABASE_URL").unwrap().1, database_url);
    let variables = [("MILLRACE_ADMIN_LISTEN", "127.0.0.1:0")];
    let mut consumer = task::start(state, "event-store", "millrace-event-store", &[], &variables);
    let found = eventually(BOUND, "the event is stored", async || api.get("/events/deployed-1").await).await;
    assert_eq!(
        (&found["key"], &found["data"]),
        (&json!("12345"), &json!({"page": "/", "user_id": "12345"})),
        "{found}"
    );

    kafka.produce("events", [RawRecord::default().key("12345")]).await;
    let counted = async || consumer.stderr().lines().any(is_counted).then_some(());
    eventually(BOUND, "a refused record is a line that the alarm counts", counted).await;
    assert!(consumer.terminate(BOUND).await.success());
}

/// Whether a log line is one that the alarm's metric filter counts.
fn is_counted(line: &str) -> bool {
    const ALERTS: &str = include_str!("../../infra/modules/alerts/main.tf");
    let filter = ALERTS.split(r#"{ $.message = \""#).nth(1).and_then(|rest| rest.split(r#"\""#).next());
    serde_json::from_str::<Value>(line).is_ok_and(|line| line["message"] == filter.expect("the filter's message"))
}

/// The API as API Gateway's emulation serves it.
pub(crate) struct Api {
    client: reqwest::Client,
    url: String,
}

impl Api {
    pub(crate) fn of(emulators: &Emulators, state: &State) -> Self {
        let url = state.output("url").as_str().unwrap();
        let id = url.split("://").nth(1).unwrap().split('.').next().unwrap();
        let url = format!("{}/_aws/execute-api/{id}/$default", emulators.ministack());
        Self { client: reqwest::Client::new(), url }
    }

    async fn post(&self, path: &str, id: &str, body: &Value) -> Value {
        let request = self.client.post(self.url(path)).header("content-type", "application/json");
        let answer = request.header("idempotency-key", id).body(body.to_string()).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Sends log records of a service; the answer.
    pub(crate) async fn post_logs(&self, service: &str, content_type: &str, body: String) -> Value {
        let request = self.client.post(self.url("/logs")).header("content-type", content_type);
        let answer = request.header("x-service", service).body(body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 202, "{service}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// `None` while it is not found.
    async fn get(&self, path: &str) -> Option<Value> {
        let answer = self.client.get(self.url(path)).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status == 200 || status == 404, "{path}: {status}: {text}");
        (status == 200).then(|| serde_json::from_str(&text).unwrap())
    }
}
