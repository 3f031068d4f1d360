//! Any bytes: each line is counted once, each row has an id of its own, and a map has each key once.

#![no_main]

use std::collections::HashSet;
use std::io;

use libfuzzer_sys::fuzz_target;
use millrace_lake::{Batch, CleanError, Quarantined, Sink, Source, clean};

#[derive(Default)]
struct Checked {
    rows: u64,
    ids: HashSet<String>,
}

impl Sink for Checked {
    fn rows(&mut self, batch: &Batch, source: &Source) -> io::Result<()> {
        for row in batch.views(&source.name) {
            self.rows += 1;
            assert!(self.ids.insert(row.id.to_owned()), "an id is one row's");
            let names: HashSet<_> = row.attributes.names().collect();
            assert_eq!(names.len(), row.attributes.names().count(), "a name is one attribute's");
        }
        Ok(())
    }

    fn quarantine(&mut self, _: Quarantined<'_>, _: &Source) -> io::Result<()> {
        Ok(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let source = Source {
        name: "fuzz".to_owned(),
        identity: "fuzz".to_owned(),
        service: String::new(),
        observed: 1_795_867_200_000_000_000,
        offset: 0,
    };
    let mut checked = Checked::default();
    let report = match clean(bytes, &source, &mut checked) {
        Ok(report) => report,
        Err(CleanError::Read { report, .. }) => *report,
        Err(error) => panic!("{error}"),
    };
    assert!(report.closes(), "{report:?}");
    assert_eq!(report.rows, checked.rows);
});
