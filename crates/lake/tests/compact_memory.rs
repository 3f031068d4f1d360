//! Large rows are merged in little memory: the only test of its process, whose memory is looked at.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::fs;

use millrace_lake::compact::compact;
use millrace_lake::{Folder, LakeWriter, Source, clean};

/// Rows of each file, and letters of each row.
const ROWS: u64 = 200;
const LETTERS: u64 = 400_000;

/// What compaction may take, in KiB; the rows come to 160 MB.
const LIMIT: u64 = 80 << 10;

/// Letters that hardly compress (splitmix64 of Steele, Lea and Flood).
fn noise(seed: u64) -> String {
    let letters = (0..LETTERS).map(|number| {
        let mixed = (seed * LETTERS + number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        char::from(b'a' + u8::try_from((mixed >> 33) % 26).unwrap())
    });
    letters.collect()
}

/// The most memory that this process had since it was last reset, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

#[test]
fn rows_of_many_kilobytes_are_merged_a_few_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut inputs = Vec::new();
    for file in 0..2 {
        let name = format!("raw-{file}");
        let source = Source { identity: name.clone(), name, service: "pay".to_owned(), observed: 0, offset: 0 };
        let mut files = Folder::new(folder.path());
        let mut writer = LakeWriter::new(&mut files, &source);
        let mut text = String::new();
        for row in 0..ROWS {
            let time = format!("2026-01-31T09:{:02}:{:02}Z", row / 60, row % 60);
            writeln!(text, "{{\"time\":\"{time}\",\"msg\":\"{}\"}}", noise(file * ROWS + row)).unwrap();
        }
        clean(text.as_bytes(), &source, &mut writer).unwrap();
        inputs.extend(writer.finish().unwrap().into_iter().map(|path| folder.path().join(path)));
    }
    // Resets the peak: proc(5).
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = peak();
    let compacted = compact(&inputs, "compacted", &mut Folder::new(folder.path()), folder.path()).unwrap();
    assert_eq!(compacted.rows, 2 * ROWS);
    let taken = peak().saturating_sub(before);
    assert!(taken < LIMIT, "{taken} KiB");
}
