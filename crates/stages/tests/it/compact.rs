//! The stage `compact`.

use std::fs::{self, File};
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use millrace_domain::ErrorClass;
use millrace_lake::compact::CompactLimits;
use millrace_stages::{CompactStage, CompactedHour, counts_of};
use serde_json::{Value, json};

use crate::lake::{Lake, RAW, gzip, lines};

/// 2026-01-31T09, since 1970.
const NINE: i64 = 491_625;
const FOLDER: &str = "cleaned/dt=2026-01-31/hour=9";
const COMPACTION: &str = "stages/compact/dt=2026-01-31/hour=9.json";
const TIME: Duration = Duration::from_secs(60);

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

impl Lake {
    fn compact(&self) -> CompactStage {
        CompactStage::new(self.objects.clone(), self.said.clone(), CompactLimits::default())
    }

    /// The hours that a look at this time compacts.
    async fn compacted(&self, time: &str) -> Vec<CompactedHour> {
        let look = self.compact().look(at(time), TIME).await;
        assert!(look.failed.is_none(), "{look:?}");
        look.hours
    }

    /// Cleans a raw object of records of nine o'clock, with these numbers; its file of rows was written at a time of that day.
    async fn clean_records(&self, object: usize, numbers: &[usize], written: &str) -> String {
        let raw = RAW.replace("-0-0000", &format!("-{object}-0000"));
        let records: Vec<_> = numbers.iter().map(|&number| (number, "pay", 9)).collect();
        self.write(&raw, &gzip(lines(&records)));
        let files = self.clean.run(&raw, 1).await.unwrap().manifest.files;
        let [file] = &files.into_iter().collect::<Vec<_>>()[..] else { panic!("one file") };
        self.set_written(file, written);
        file.clone()
    }

    fn set_written(&self, file: &str, time: &str) {
        let file = File::options().append(true).open(self.folder.path().join(file)).unwrap();
        let time = SystemTime::from(at(&format!("2026-01-31T{time}:00Z")));
        file.set_modified(time).unwrap();
    }

    /// How many rows of nine o'clock readers see.
    async fn rows_seen(&self) -> u64 {
        let windows = counts_of(&self.objects, [NINE]).await.unwrap();
        windows.0.values().map(|window| window.count).sum()
    }

    fn compaction(&self) -> Value {
        serde_json::from_slice(&fs::read(self.folder.path().join(COMPACTION)).unwrap()).unwrap()
    }

    /// What the metrics count.
    async fn counted(&self, file: &str) -> u64 {
        self.metrics.run(file, 1).await.unwrap();
        let windows = millrace_stages::metrics_of(&self.objects, [NINE]).await.unwrap();
        windows.0["pay"].values().map(|point| point.count).sum()
    }
}

/// Two objects with three records in common become one file, which is told, and the metrics follow.
#[tokio::test(flavor = "multi_thread")]
async fn an_hours_files_become_one_with_each_row_once() {
    let lake = Lake::new();
    let first = lake.clean_records(0, &[1, 2, 3, 4, 5], "09:10").await;
    let second = lake.clean_records(1, &[3, 4, 5, 6], "09:11").await;
    assert_eq!((lake.rows_seen().await, lake.counted(&first).await), (9, 9));
    lake.said.0.lock().unwrap().clear();
    assert_eq!(lake.compacted("2026-01-31T10:29:59Z").await, [], "the hour is not over");

    let compacted = lake.compacted("2026-01-31T10:30:00Z").await;
    let [hour] = &compacted[..] else { panic!("{compacted:?}") };
    let [file] = &hour.files[..] else { panic!("{hour:?}") };
    assert!(file.starts_with(&format!("{FOLDER}/compacted-")) && file.ends_with("-0.parquet"), "{file}");
    let expected =
        CompactedHour { folder: FOLDER.to_owned(), files: vec![file.clone()], rows: 6, duplicates: 3, replaced: 2 };
    assert_eq!(*hour, expected);
    assert_eq!(lake.cleaned(), hour.files);
    let said = lake.said.0.lock().unwrap().clone();
    let completed = json!({"stage": "compact", "object": FOLDER, "attempt": 1, "manifest": COMPACTION, "rows": 6});
    assert_eq!(said, [("Stage Completed".to_owned(), completed)]);
    assert_eq!(lake.counted(file).await, 6);

    // An event of a raw object that comes again finds that it was cleaned.
    lake.clean.run(&RAW.replace("-0-0000", "-1-0000"), 1).await.unwrap();
    assert_eq!(lake.cleaned(), hour.files);
    assert_eq!(lake.compacted("2026-01-31T23:00:00Z").await, []);
    assert!(!lake.cleaned().contains(&second));
}

#[tokio::test(flavor = "multi_thread")]
async fn late_rows_are_merged_with_those_that_were_compacted() {
    let lake = Lake::new();
    for object in 0..3 {
        lake.clean_records(object, &[object, object + 1], "09:10").await;
    }
    assert_eq!(lake.compacted("2026-01-31T10:40:00Z").await[0].rows, 4);
    lake.clean_records(7, &[3, 70], "11:00").await;
    assert_eq!(lake.compacted("2026-01-31T11:29:00Z").await, [], "more may come");
    let hour = &lake.compacted("2026-01-31T11:30:00Z").await[0];
    assert_eq!((hour.rows, hour.duplicates, hour.replaced), (5, 1, 2));
    assert_eq!(lake.cleaned(), hour.files);
    // A week later nobody looks there any more.
    lake.clean_records(8, &[80], "11:00").await;
    assert_eq!(lake.compacted("2026-02-08T11:00:00Z").await, []);
    assert_eq!(lake.rows_seen().await, 6);
}

/// Wherever a run is cut off, each row is seen once by our readers, and the next run ends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_cut_off_is_ended_by_the_next() {
    let (long_ago, now) = ("2026-01-01T00:00:00Z", Timestamp::now().to_string());
    // What is there of the old file and the new ones, whether the compaction says that they are written, and since when.
    for (name, is_written, has_new, has_old, begun, is_looked_at) in [
        ("before the new file was written", false, false, true, long_ago, true),
        ("before it said so", false, true, true, long_ago, true),
        ("before the old files went", true, true, true, long_ago, true),
        ("in the middle of that", true, true, false, long_ago, true),
        ("by nothing: it is being written", false, true, true, &now, false),
    ] {
        let lake = Lake::new();
        let olds = [lake.clean_records(0, &[1, 2, 3], "09:10").await, lake.clean_records(1, &[4, 5], "09:11").await];
        let content = olds.clone().map(|old| fs::read(lake.folder.path().join(old)).unwrap());
        lake.compacted("2026-01-31T10:30:00Z").await;
        let new = lake.cleaned();
        for (index, (old, content)) in olds.iter().zip(&content).enumerate() {
            if has_old || index == 1 {
                lake.write(old, content);
                lake.set_written(old, "09:12");
            }
        }
        if !has_new {
            fs::remove_file(lake.folder.path().join(&new[0])).unwrap();
        }
        let mut compaction = lake.compaction();
        compaction["is_written"] = json!(is_written);
        compaction["is_done"] = json!(false);
        compaction["begun"] = json!(begun);
        let versions = compaction["replaced"].as_object_mut().unwrap();
        for old in lake.cleaned().iter().filter(|file| olds.contains(file)) {
            let name = old.rsplit_once('/').unwrap().1;
            versions[name] = json!(lake.objects.version(old).await.unwrap());
        }
        lake.write(COMPACTION, compaction.to_string().as_bytes());
        assert_eq!(lake.rows_seen().await, 5, "cut off {name}");
        let before = lake.cleaned();

        lake.compacted("2026-01-31T12:00:00Z").await;
        assert_eq!(lake.rows_seen().await, 5, "cut off {name}");
        if is_looked_at {
            let [file] = &lake.cleaned()[..] else { panic!("{:?}", lake.cleaned()) };
            assert!(file.starts_with(&format!("{FOLDER}/compacted-")), "{file}");
            assert_eq!(lake.compaction()["is_written"], true);
        } else {
            assert_eq!(lake.cleaned(), before, "cut off {name}");
        }
    }
}

/// A bus that takes nothing for a while hears of it later.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_bus_did_not_take_is_said_by_the_next_look() {
    let lake = Lake::new();
    lake.clean_records(0, &[1, 2], "09:10").await;
    lake.clean_records(1, &[2, 3], "09:11").await;
    lake.said.0.lock().unwrap().clear();
    lake.said.1.store(1, Ordering::SeqCst);
    let look = lake.compact().look(at("2026-01-31T10:30:00Z"), TIME).await;
    assert_eq!((look.hours.len(), look.failed.unwrap().state()), (0, "BusUnavailable"));
    assert_eq!(lake.rows_seen().await, 3);
    let hours = lake.compacted("2026-01-31T10:31:00Z").await;
    assert_eq!((hours.len(), hours[0].rows, hours[0].duplicates), (1, 3, 1));
    assert_eq!(
        lake.said.0.lock().unwrap().iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(),
        ["Stage Completed"]
    );
    assert_eq!(lake.compacted("2026-01-31T10:32:00Z").await, []);
}

/// Hours that are not over yet, of clocks that go wrong, are not looked at.
#[tokio::test(flavor = "multi_thread")]
async fn hours_to_come_are_left_alone() {
    let lake = Lake::new();
    lake.clean_records(0, &[1, 2], "09:10").await;
    lake.clean_records(1, &[2, 3], "09:11").await;
    let file = lake.cleaned()[0].clone();
    for hour in [10, 11, 23] {
        lake.write(&file.replace("hour=9", &format!("hour={hour}")), b"rows to come");
    }
    lake.write(&file.replace("hour=9", "hour=9223372036854775807"), b"no hour");
    assert_eq!(lake.compacted("2026-01-31T10:30:00Z").await.len(), 1);
    assert_eq!(lake.cleaned().len(), 5);
}

/// What is no file of rows is told, and moved out of the tables; the others are compacted.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_none_of_rows_is_quarantined() {
    let lake = Lake::new();
    lake.clean_records(0, &[1, 2], "09:10").await;
    lake.clean_records(1, &[2, 3], "09:11").await;
    let other = format!("{FOLDER}/other.parquet");
    lake.write(&other, b"no rows of ours");
    lake.set_written(&other, "09:12");
    lake.said.0.lock().unwrap().clear();
    let hour = &lake.compacted("2026-01-31T11:00:00Z").await[0];
    assert_eq!((hour.rows, hour.duplicates, hour.replaced), (3, 1, 2));
    assert_eq!(lake.cleaned(), hour.files);
    assert_eq!(lake.files()[&format!("quarantine/{other}")], b"no rows of ours");
    assert_eq!(lake.compacted("2026-02-02T11:00:00Z").await, []);
    let said = lake.said.0.lock().unwrap().clone();
    let kinds: Vec<&str> = said.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["Stage Failed", "Stage Completed"]);
    let failed = &said[0].1;
    assert_eq!(
        (&failed["object"], &failed["state"], &failed["class"]),
        (&json!(other), &json!("CompactionFailed"), &json!(ErrorClass::Permanent.as_str()))
    );
}

/// Of runs at the same time one replaces the files.
#[tokio::test(flavor = "multi_thread")]
async fn runs_at_the_same_time_lose_nothing() {
    let lake = Lake::new();
    for object in 0..6 {
        lake.clean_records(object, &[object * 2, object * 2 + 1, object * 2 + 2], "09:10").await;
    }
    let compact = lake.compact();
    let runs = (0..8).map(|_| {
        let compact = compact.clone();
        tokio::spawn(async move { compact.look(at("2026-01-31T10:30:00Z"), TIME).await.hours })
    });
    let done: Vec<CompactedHour> =
        futures_util::future::try_join_all(runs).await.unwrap().into_iter().flatten().collect();
    assert_eq!(done.len(), 1, "{done:?}");
    assert_eq!(lake.cleaned(), done[0].files);
    assert_eq!(lake.rows_seen().await, 13);
}
