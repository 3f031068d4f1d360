//! Files in an S3-compatible bucket.

use millrace_domain::insight;
use millrace_testkit::{Bucket, Program};

use crate::embedded::{broker, produce};
use crate::program::{command, processed};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_written_once_the_bucket_is_available() {
    let (bucket, broker) = (Bucket::start("lake").await, broker());
    bucket.fail(Some("/logins/"));
    let mut start = command();
    start.args(["--kafka", broker.bootstrap_servers(), "--batch-age", "1s", "--insights-to", "s3://lake/logins"]);
    let program = Program::start(start.envs(bucket.variables())).await;
    program.joined().await;
    produce(&broker, 3).await;
    processed(&program, 3).await;
    program.counted("millrace_login_insights_files_total{result=\"failed\"} 2").await;
    assert_eq!(bucket.objects().len(), 0);
    bucket.fail(None);
    program.counted("millrace_login_insights_files_total{result=\"written\"} 1").await;
    program.stop().await;

    let objects: Vec<_> = bucket.objects().into_iter().collect();
    let [(key, insight)] = &objects[..] else { panic!("{objects:?}") };
    assert_eq!(*key, format!("logins/insights/{}", insight::file_name(insight).unwrap()));
}
