//! Which files of an hour are compacted, and when.

use std::time::Duration;

use jiff::Timestamp;

use crate::parquet::HOUR;

/// Of a loose file's size that of the compacted ones may be so many times, for them to be merged at once.
const GROWTH: u64 = 10;

/// After so long loose files are merged however few they are.
const LOOSE_LIMIT: Duration = Duration::from_hours(24);

/// A file of rows in the folder of an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFile {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// When it was written.
    pub written: Timestamp,
    /// Whether it was made by compaction, and its rows are in order.
    pub is_compacted: bool,
}

/// When files are compacted, and how many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactLimits {
    /// How long after the end of an hour, and after a file was written, it is compacted: until then rows of the hour still come.
    pub delay: Duration,
    /// Bytes of files that are merged at once.
    pub bytes: u64,
}

impl Default for CompactLimits {
    fn default() -> Self {
        Self { delay: Duration::from_mins(30), bytes: 2 << 30 }
    }
}

/// The files of an hour (since 1970) that are to be merged now, by their names; none where there is nothing to do.
///
/// Loose files are merged with the compacted ones, so that an id is in the hour once, where all of them are within the limit. Where they
/// are not, loose ones are merged with each other in the order in which they were written: a record that was delivered twice is in files
/// that were written one soon after the other. A few late rows wait, so that they do not cause a large hour to be written again and again.
pub fn plan(hour: i64, files: &[RowFile], now: Timestamp, limits: CompactLimits) -> Vec<String> {
    let is_old = |since: Timestamp, age: Duration| since.checked_add(age).is_ok_and(|old| old <= now);
    let Ok(end) = Timestamp::from_second((hour + 1).saturating_mul(HOUR)) else { return Vec::new() };
    let (compacted, mut loose): (Vec<&RowFile>, Vec<&RowFile>) = files.iter().partition(|file| file.is_compacted);
    loose.sort_by(|left, right| (left.written, &left.name).cmp(&(right.written, &right.name)));
    let Some(oldest) = loose.first() else { return Vec::new() };
    if !is_old(end, limits.delay) || !is_old(oldest.written, limits.delay) {
        return Vec::new();
    }
    let size = |files: &[&RowFile]| files.iter().fold(0, |sum: u64, file| sum.saturating_add(file.bytes));
    let (compacted_bytes, loose_bytes) = (size(&compacted), size(&loose));
    let merged = if compacted_bytes.saturating_add(loose_bytes) <= limits.bytes {
        let is_due = loose_bytes.saturating_mul(GROWTH) >= compacted_bytes || is_old(oldest.written, LOOSE_LIMIT);
        if is_due { [compacted, loose].concat() } else { Vec::new() }
    } else {
        first_within(&loose, limits.bytes)
    };
    // One file has nothing to be merged with.
    if merged.len() < 2 { Vec::new() } else { merged.into_iter().map(|file| file.name.clone()).collect() }
}

/// The first files that follow each other, two or more, within so many bytes. Those that are larger alone stay as they are.
fn first_within<'f>(files: &[&'f RowFile], limit: u64) -> Vec<&'f RowFile> {
    let mut within: Vec<&RowFile> = Vec::new();
    let mut bytes = 0_u64;
    for file in files.iter().filter(|file| file.bytes <= limit) {
        if bytes.saturating_add(file.bytes) > limit {
            if within.len() >= 2 {
                break;
            }
            within.clear();
            bytes = 0;
        }
        within.push(file);
        bytes += file.bytes;
    }
    within
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-01-31T09.
    const NINE: i64 = 491_625;
    const LIMITS: CompactLimits = CompactLimits { delay: Duration::from_mins(30), bytes: 1_000 };

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(NINE * HOUR + minute * 60).unwrap()
    }

    fn file(name: &str, bytes: u64, minute: i64, is_compacted: bool) -> RowFile {
        RowFile { name: name.to_owned(), bytes, written: at(minute), is_compacted }
    }

    #[test]
    fn an_hour_is_compacted_once_it_is_over_and_its_files_are_old() {
        let files = [file("b", 10, 2, false), file("a", 10, 1, false)];
        assert_eq!(plan(NINE, &files, at(89), LIMITS), [""; 0]);
        assert_eq!(plan(NINE, &files, at(90), LIMITS), ["a", "b"]);
        assert_eq!(plan(NINE, &files[..1], at(90), LIMITS), [""; 0], "one file");
        let late = [file("a", 10, 100, false), file("b", 10, 110, false)];
        assert_eq!(plan(NINE, &late, at(129), LIMITS), [""; 0]);
        assert_eq!(plan(NINE, &late, at(130), LIMITS), ["a", "b"]);
    }

    #[test]
    fn few_late_rows_wait_for_more() {
        let compacted = file("c", 900, 90, true);
        let few = [compacted.clone(), file("a", 20, 100, false)];
        assert_eq!(plan(NINE, &few, at(200), LIMITS), [""; 0]);
        assert_eq!(plan(NINE, &few, at(100 + 24 * 60), LIMITS), ["c", "a"], "after a day");
        let more = [compacted.clone(), file("a", 20, 100, false), file("b", 70, 101, false)];
        assert_eq!(plan(NINE, &more, at(200), LIMITS), ["c", "a", "b"]);
        assert_eq!(plan(NINE, &[compacted], at(99_999), LIMITS), [""; 0]);
    }

    #[test]
    fn an_hour_beyond_the_limit_is_compacted_in_parts() {
        let files =
            [file("c", 900, 90, true), file("y", 400, 92, false), file("x", 500, 91, false), file("z", 200, 93, false)];
        assert_eq!(plan(NINE, &files, at(200), LIMITS), ["x", "y"]);
        let large = [file("x", 1_100, 0, false), file("y", 900, 1, false)];
        assert_eq!(plan(NINE, &large, at(200), LIMITS), [""; 0]);
        let large_first = [&large[..], &[file("z", 200, 2, false), file("a", 1, 3, false)]].concat();
        assert_eq!(plan(NINE, &large_first, at(200), LIMITS), ["z", "a"]);
    }

    proptest! {
        /// Whatever there is, compaction comes to an end: each merge leaves fewer files, and fewer loose ones.
        #[test]
        fn an_hour_comes_to_rest(
            sizes in proptest::collection::vec((1..1_500_u64, 0..60_i64, any::<bool>()), 0..20),
        ) {
            let mut files: Vec<RowFile> = sizes
                .iter()
                .enumerate()
                .map(|(number, &(bytes, minute, is_compacted))| file(&number.to_string(), bytes, minute, is_compacted))
                .collect();
            for merge in 0..=files.len() {
                let planned = plan(NINE, &files, at(99_999), LIMITS);
                if planned.is_empty() {
                    return Ok(());
                }
                let (merged, mut left): (Vec<RowFile>, Vec<RowFile>) =
                    files.iter().cloned().partition(|file| planned.contains(&file.name));
                let bytes = merged.iter().map(|file| file.bytes).sum();
                prop_assert!(merged.len() >= 2 && bytes <= LIMITS.bytes, "{merged:?}");
                prop_assert!(merged.iter().any(|file| !file.is_compacted));
                left.push(RowFile { is_compacted: true, ..file(&format!("merged-{merge}"), bytes, 0, true) });
                files = left;
            }
            prop_assert!(false, "{files:?}");
        }
    }
}
