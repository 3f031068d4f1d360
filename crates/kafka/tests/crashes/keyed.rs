//! The keyed mode: effects are lines of a file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use millrace_domain::Outcome;
use millrace_kafka::Record;
use millrace_kafka::consumer::{Attempt, Processor};

use crate::load;
use crate::process::Job;
use crate::scene::{FIRST, SECOND, Scene};

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
            return Outcome::poison("it says so");
        }
        (&self.0).write_all(format!("{} {}\n", record.partition(), record.offset()).as_bytes()).unwrap();
        Outcome::Done(())
    }
}

fn path(folder: &Path, run: usize) -> PathBuf {
    folder.join(format!("effects-{run}"))
}

/// The places in the order of their effects.
fn effects(scene: &Scene, run: usize) -> Vec<(i32, i64)> {
    let lines = fs::read_to_string(path(&scene.job.folder, run)).unwrap();
    let place = |line: &str| {
        let (partition, offset) = line.split_once(' ')?;
        Some((partition.parse().ok()?, offset.parse().ok()?))
    };
    lines.lines().map(|line| place(line).unwrap()).collect()
}

/// `committed` is what the group had committed when the first process had crashed.
pub(crate) async fn assert_nothing_is_lost(scene: &Scene, committed: &BTreeMap<i32, i64>) {
    let is_committed = |&(partition, offset): &(i32, i64)| offset < committed[&partition];
    let (before, after) = (effects(scene, FIRST), effects(scene, SECOND));
    let sound = scene.sound();
    let lost: Vec<_> = sound.iter().filter(|place| is_committed(place) && !before.contains(place)).collect();
    assert!(lost.is_empty(), "committed, and not processed: {lost:?}");
    let again: Vec<_> = after.iter().filter(|place| is_committed(place)).collect();
    assert!(again.is_empty(), "committed, and processed again: {again:?}");
    let all: BTreeSet<_> = before.iter().chain(&after).copied().collect();
    assert_eq!(all, sound.into_iter().collect(), "each sound record is processed, and no other");

    let mut lettered = scene.lettered().await;
    assert!(lettered.len() <= scene.poison().len() * 2, "a process writes a letter once: {lettered:?}");
    lettered.dedup();
    assert_eq!(lettered, scene.poison(), "letters of exactly the poison");
    assert_keys_are_in_order(scene, &before, &after);
}

/// The first process did the beginning of each key, the second one its end, and both in order and without a gap.
fn assert_keys_are_in_order(scene: &Scene, before: &[(i32, i64)], after: &[(i32, i64)]) {
    let key_of = |place: &(i32, i64)| &scene.load[place].key;
    let keys: BTreeSet<_> = scene.load.values().map(|record| &record.key).collect();
    let sound = scene.sound();
    for key in keys {
        let of_key = |places: &[(i32, i64)]| -> Vec<(i32, i64)> {
            places.iter().filter(|place| key_of(place) == key).copied().collect()
        };
        let (all, before, after) = (of_key(&sound), of_key(before), of_key(after));
        assert!(all.starts_with(&before), "{key:?}: {before:?} of {all:?}");
        assert!(all.ends_with(&after), "{key:?}: {after:?} of {all:?}");
    }
}
