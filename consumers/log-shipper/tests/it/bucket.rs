//! Objects in an S3-compatible bucket.

use std::io::Read as _;

use flate2::read::GzDecoder;
use millrace_testkit::{Bucket, Program};

use crate::program::command;
use crate::shipped::{broker, ids, lines, produce};

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_written_once_the_bucket_is_available() {
    let (bucket, broker) = (Bucket::start("lake").await, broker(1));
    bucket.fail(Some("/prod/raw/"));
    let mut start = command();
    start.args(["--kafka", broker.bootstrap_servers(), "--logs-batch-age", "2s", "--logs-to", "s3://lake/prod"]);
    let program = Program::start(start.envs(bucket.variables())).await;
    program.joined().await;
    produce(&broker, ["one", "two", "three"]).await;
    program.counted("millrace_log_shipper_objects_total{result=\"failed\"} 2").await;
    assert_eq!(bucket.objects().len(), 0);
    bucket.fail(None);
    program.processed("log-shipper", 3).await;
    program.stop().await;

    let objects = bucket.objects();
    let mut all = Vec::new();
    for (key, object) in &objects {
        assert!(key.starts_with("prod/raw/20") && key.contains("/raw-logs-0-0000000000000000000"), "{key}");
        let mut text = String::new();
        GzDecoder::new(&object[..]).read_to_string(&mut text).unwrap();
        all.extend(ids(&lines(&text)));
    }
    assert_eq!(all, ["0", "1", "2"]);
}
