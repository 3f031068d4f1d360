//! The keyed mode: effects are lines of a file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use millrace_consumer::{Attempt, Outcome, Processor};
use millrace_kafka::Record;

use crate::fixture::{FIRST, Fixture, SECOND};
use crate::load;
use crate::process::Job;

/// Writes down each record's place, in one call for each.
pub(crate) struct Writer(File);

impl Writer {
    pub(crate) fn new(job: &Job) -> Self {
        Self(File::create(path(&job.folder, job.run)).unwrap())
    }
}

impl Processor for Writer {
    type Product = ();

    async fn process(&self, record: &Record<'_>, _attempt: &Attempt<'_>) -> Outcome {
        // An effect elsewhere takes its time: several are under way at any moment.
        tokio::time::sleep(Duration::from_millis(5)).await;
        if load::is_refused(record) {
            return Outcome::reject("it says so");
        }
        (&self.0).write_all(format!("{} {}\n", record.partition(), record.offset()).as_bytes()).unwrap();
        Outcome::Done(())
    }
}

fn path(folder: &Path, run: usize) -> PathBuf {
    folder.join(format!("effects-{run}"))
}

/// The places in the order of their effects.
fn effects(fixture: &Fixture, run: usize) -> Vec<(i32, i64)> {
    let lines = fs::read_to_string(path(&fixture.job.folder, run)).unwrap();
    let place = |line: &str| {
        let (partition, offset) = line.split_once(' ')?;
        Some((partition.parse().ok()?, offset.parse().ok()?))
    };
    lines.lines().map(|line| place(line).unwrap()).collect()
}

/// `committed` is what the group had committed when the first process had crashed.
pub(crate) async fn assert_nothing_is_lost(fixture: &Fixture, committed: &BTreeMap<i32, i64>) {
    let is_committed = |&(partition, offset): &(i32, i64)| offset < committed[&partition];
    let (before, after) = (effects(fixture, FIRST), effects(fixture, SECOND));
    let sound = fixture.sound();
    let lost: Vec<_> = sound.iter().filter(|place| is_committed(place) && !before.contains(place)).collect();
    assert!(lost.is_empty(), "committed, and not processed: {lost:?}");
    let again: Vec<_> = after.iter().filter(|place| is_committed(place)).collect();
    assert!(again.is_empty(), "committed, and processed again: {again:?}");
    let all: BTreeSet<_> = before.iter().chain(&after).copied().collect();
    assert_eq!(all, sound.into_iter().collect(), "each sound record is processed, and no other");

    let mut lettered = fixture.lettered().await;
    assert!(lettered.len() <= fixture.poison().len() * 2, "a process writes a letter once: {lettered:?}");
    lettered.dedup();
    assert_eq!(lettered, fixture.poison(), "letters of exactly the poison");
    assert_keys_are_in_order(fixture, &before, &after);
}

/// The first process did the beginning of each key, the second one its end, and both in order and without a gap.
fn assert_keys_are_in_order(fixture: &Fixture, before: &[(i32, i64)], after: &[(i32, i64)]) {
    let key_of = |place: &(i32, i64)| &fixture.load[place].key;
    let keys: BTreeSet<_> = fixture.load.values().map(|record| &record.key).collect();
    let sound = fixture.sound();
    for key in keys {
        let of_key = |places: &[(i32, i64)]| -> Vec<(i32, i64)> {
            places.iter().filter(|place| key_of(place) == key).copied().collect()
        };
        let (all, before, after) = (of_key(&sound), of_key(before), of_key(after));
        assert!(all.starts_with(&before), "{key:?}: {before:?} of {all:?}");
        assert!(all.ends_with(&after), "{key:?}: {after:?} of {all:?}");
    }
}
