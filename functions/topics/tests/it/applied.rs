//! Topics are created, grown, and then left as they are.

use std::time::Duration;

use millrace_kafka::KafkaSettings;
use millrace_kafka::admin::AdminClient;
use millrace_testkit::kafka;
use serde_json::{Value, json};

use crate::{catalogue, function_on};

#[tokio::test]
async fn topics_become_those_of_the_catalogue() {
    let Some(kafka) = kafka::dedicated(|broker| broker).await else { return };
    let lambda = function_on(&kafka).deploy();
    let invoke = async |event: Value| -> Value {
        serde_json::from_slice(&lambda.invoke(&event).await.unwrap_or_else(|failure| panic!("{failure}"))).unwrap()
    };
    let partitions = async |topic: &str| {
        let admin = AdminClient::new(&KafkaSettings::plaintext(kafka.bootstrap_servers())).unwrap();
        admin.overview(Duration::from_secs(30)).await.unwrap().topics.get(topic).copied()
    };

    let planned = invoke(json!({"dry_run": true, "replication": 1})).await;
    assert_eq!((&planned["outcome"], partitions("orders").await), (&json!("planned"), None));

    let created = invoke(json!({"catalogue": catalogue(), "replication": 1, "shorten_retention": false})).await;
    assert_eq!((&created["outcome"], partitions("orders").await), (&json!("applied"), Some(3)));

    let mut more = catalogue();
    more["topics"][2]["partitions"] = json!(5);
    let grown = invoke(json!({"catalogue": more})).await;
    assert_eq!(grown["topics"][2]["changes"], json!([{"change": "grow", "from": 3, "to": 5}]));
    assert_eq!(partitions("orders").await, Some(5));

    let again = invoke(json!({"catalogue": more})).await;
    let changes = again["topics"].as_array().unwrap().iter().map(|topic| topic["changes"].as_array().unwrap().len());
    assert_eq!(changes.sum::<usize>(), 0, "{again}");
}
