//! Days that are too old.

use std::time::Duration;

use millrace_testkit::{Program, eventually, opensearch};

use crate::indexed::indexer;
use crate::rows::{ago, broker, index_of, produce, row};

#[tokio::test(flavor = "multi_thread")]
async fn old_indices_are_deleted_and_old_rows_not_indexed() {
    let Some(search) = opensearch::shared().await else { return };
    let (broker, prefix) = (broker(), "retained");
    let index = |days: i64| index_of(prefix, ago(24 * days));
    let own = r#"{"mappings": {"_meta": {"managed_by": "millrace"}}}"#;
    let put = |name: &str, body: &str| assert_eq!(search.call("PUT", &format!("/{name}"), body).0, 200, "{name}");
    // Somebody else's, and copies of ours.
    let others = [index(50), format!("{}-copy", index(40)), format!("other-{}", index(40))];
    put(&others[0], "");
    for name in [index(40), index(30), index(9), index(7)].iter().chain(&others[1..]) {
        put(name, own);
    }
    // One that cannot be deleted keeps no other.
    assert_eq!(search.call("PUT", &format!("/{}/_block/read_only", index(40)), "").0, 200);
    let rows = [("old", 20), ("new", 1)].map(|(id, days)| (id.to_owned(), row(id, ago(24 * days), "x").to_string()));
    produce(&broker, rows).await;
    let program = Program::start(indexer(search, &broker, prefix).args(["--index-retain", "7d"])).await;
    program.processed("log-indexer", 2).await;
    program.counted("millrace_log_indexer_documents_total{result=\"too_old\"} 1").await;
    program.counted("millrace_log_indexer_index_deletions_total{result=\"deleted\"} 2").await;
    program.counted("millrace_log_indexer_index_deletions_total{result=\"failed\"} 1").await;
    program.stop().await;
    let status = |name: &str| search.call("HEAD", &format!("/{name}"), "").0;
    let gone = async || ([30, 20, 9].map(|days| status(&index(days))) == [404; 3]).then_some(());
    eventually(Duration::from_secs(10), "old indices are gone", gone).await;
    for name in [index(40), index(7), index(1)].iter().chain(&others) {
        assert_eq!(status(name), 200, "{name}");
    }
}
