//! An insight's way: logins on Kafka, the consumer with its task's environment and its role's credentials, the bucket.

use millrace_testkit::Kafka;
use millrace_testkit::eventually;
use millrace_testkit::kafka::RawRecord;
use reqwest::StatusCode;

use crate::aws::Aws;
use crate::permissions::task_role;
use crate::task::{self, BOUND};
use crate::terraform::State;

/// As many as close a batch.
const LOGINS: usize = 100;

/// The role writes the insight, and may write nothing else there; another role may not write it. Without TLS nobody may.
pub(crate) async fn is_written_with_the_roles_own_credentials(root: &Aws, state: &State, kafka: &Kafka) {
    let own = root.assume(&task_role(state, "login-insights")).await;
    let bucket = state.resource("module.millrace.aws_s3_bucket.data")["bucket"].as_str().unwrap();
    own.put(&format!("/{bucket}/insights/without-tls.json"), StatusCode::FORBIDDEN).await;
    // The emulator has no TLS.
    let (status, answer) = root.call("s3", "DELETE", &format!("/{bucket}?policy"), Vec::new()).await;
    assert_eq!(status, 204, "{answer}");

    let variables = [&own.variables()[..], &[("MILLRACE_ADMIN_LISTEN", "127.0.0.1:0")]].concat();
    let mut consumer = task::start(state, "login-insights", "millrace-login-insights", &[], &variables);
    let logins = (0..LOGINS).map(|_| RawRecord::new(r#"{"user_id": "12345"}"#).key("12345"));
    kafka.produce("user-login", logins).await;

    let name = eventually(BOUND, "the insight is in the bucket", async || {
        consumer.assert_running();
        root.keys(bucket, "insights").await.pop()
    })
    .await;
    assert!(consumer.terminate(BOUND).await.success());

    let (status, insight) = own.call("s3", "GET", &format!("/{bucket}/{name}"), Vec::new()).await;
    assert_eq!(status, 200, "{insight}");
    assert!(insight.contains(&format!("\"batch_size\":{LOGINS}")), "{insight}");
    own.put(&format!("/{bucket}/raw/1"), StatusCode::FORBIDDEN).await;
    let other = root.assume(&task_role(state, "event-store")).await;
    other.put(&format!("/{bucket}/{name}"), StatusCode::FORBIDDEN).await;
}
