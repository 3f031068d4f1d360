//! Log lines: their answer has no positions of records, so one request is the table's last.

use crate::parity::case::Case;

pub(super) fn last() -> Case {
    let lines = concat!(r#"{"level":"info","msg":"a","msg":"b","n":1e999}"#, "\n\ngr\u{fc}\u{df}e \"x\"\r\n");
    Case::post(202, "log lines", "/logs?service=a%20b").body("application/x-ndjson", lines).gzip()
}
