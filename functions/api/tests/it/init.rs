//! Init errors name the invalid setting.

use bytes::Bytes;
use http::Request;
use millrace_testkit::lambda::{Failure, event};

use crate::fixture::function;

async fn failure(variables: &[(&str, &str)]) -> (String, String) {
    let function = variables.iter().fold(function(), |function, (name, value)| function.variable(name, *value));
    let request = Request::get("/health").body(Bytes::new()).unwrap();
    match function.deploy().invoke(&event::function_url(&request)).await {
        Err(Failure::Init { reason, log }) => (reason["errorMessage"].as_str().unwrap_or_default().to_owned(), log),
        other => panic!("{variables:?}: {other:?}"),
    }
}

#[tokio::test]
async fn an_invalid_setting_ends_init_and_is_named() {
    const BROKER: (&str, &str) = ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9");
    let table: [(&str, &[(&str, &str)]); 6] = [
        ("KAFKA_BOOTSTRAP_SERVERS", &[]),
        ("KAFKA_BOOTSTRAP_SERVERS", &[("KAFKA_BOOTSTRAP_SERVERS", "")]),
        ("KAFKA_SECURITY_PROTOCOL", &[BROKER, ("KAFKA_SECURITY_PROTOCOL", "ROT13")]),
        ("KAFKA_SASL_PASSWORD", &[BROKER, ("KAFKA_SASL_MECHANISM", "PLAIN"), ("KAFKA_SASL_USERNAME", "ann")]),
        ("MILLRACE_BASE_PATH", &[BROKER, ("MILLRACE_BASE_PATH", "intake")]),
        ("MILLRACE_LOG", &[BROKER, ("MILLRACE_LOG", "info=loud")]),
    ];
    for (setting, variables) in table {
        let (reported, log) = failure(variables).await;
        assert!(reported.contains(setting), "reported: {reported:?}, not {setting}");
        assert!(log.contains(setting), "logged: {log:?}, not {setting}");
    }
}
