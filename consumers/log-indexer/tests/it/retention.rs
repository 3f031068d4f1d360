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
    let others = ["retained-archive".to_owned(), format!("other-{}", index(40))];
    for name in [index(40), index(9), index(7)].iter().chain(&others) {
        assert_eq!(search.call("PUT", &format!("/{name}"), "").0, 200);
    }
    let rows = [("old", 20), ("new", 1)].map(|(id, days)| (id.to_owned(), row(id, ago(24 * days), "x").to_string()));
    produce(&broker, rows).await;
    let program = Program::start(indexer(search, &broker, prefix).args(["--index-retain", "7d"])).await;
    program.processed("log-indexer", 2).await;
    program.counted("millrace_log_indexer_documents_total{result=\"too_old\"} 1").await;
    program.counted("millrace_log_indexer_deleted_indices_total 2").await;
    program.stop().await;
    let status = |name: &str| search.call("HEAD", &format!("/{name}"), "").0;
    let gone = async || ([40, 20, 9].map(|days| status(&index(days))) == [404; 3]).then_some(());
    eventually(Duration::from_secs(10), "old indices are gone", gone).await;
    for name in [index(7), index(1)].iter().chain(&others) {
        assert_eq!(status(name), 200, "{name}");
    }
}
