//! `millrace lake clean`: log files to rows in a folder of the lake's layout.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::builder::NonEmptyStringValueParser;
use indicatif::ProgressBar;
use millrace_host::exit::{self, SettingError};
use millrace_lake::{CleanError, Folder, LakeWriter, Report, Source};
use tokio_util::sync::CancellationToken;

use super::clean_report::{self as report, Totals};
use crate::progress_bar;

const EXAMPLES: &str = "\
Examples:
  millrace lake clean app.log                       rows in lake/cleaned
  millrace lake clean --out /data/lake *.log.gz     many files, compressed
  kubectl logs pay | millrace lake clean --service pay -
  millrace lake clean --utc-offset +09:00 app.log   local times of Tokyo
  millrace lake clean --json report.json app.log    the report as JSON
  duckdb -c \"select service, count(*) from 'lake/cleaned/**/*.parquet' group by 1\"

A file's format is told line by line, and its compression (gzip, zstd) by its first bytes. Cleaning a file again writes the same \
files again. docs/lake.md lists the formats, and what becomes of each line.";

/// Bytes read from a file at once.
const BLOCK: usize = 256 * 1024;

/// How long the threads have to end after a signal.
const STOP_TIMEOUT: Duration = Duration::from_millis(500);

/// Compressions and archives that are not read, by their first bytes.
const UNREAD: [(&[u8], &str); 5] = [
    (b"\xFD7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"PK\x03\x04", "a zip archive"),
    (b"7z\xBC\xAF\x27\x1C", "a 7z archive"),
    (b"\x04\x22\x4D\x18", "lz4"),
];

/// Bytes that tell them.
const MAGIC: u64 = 6;

/// What stands for standard input.
const STDIN: &str = "-";

/// Turn log files of any format into Parquet: one row a record
///
/// Each line is counted once: as a row, as a further line of one, as a duplicate, as blank, or as quarantined. Lines that are no
/// text, or longer than 1 MiB, are kept in `quarantine/` with their reason and place.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Log files: plain, gzip or zstd; - is standard input. One that is named twice is cleaned once
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The lake's folder; made if missing
    #[arg(long, value_name = "DIR", default_value = "lake", value_parser = folder)]
    out: PathBuf,
    /// The service of records that name none
    #[arg(long, value_name = "NAME", default_value = "unknown", value_parser = NonEmptyStringValueParser::new())]
    service: String,
    /// The UTC offset of times that have none, such as +09:00; their rows say `inferred`
    #[arg(long, value_name = "OFFSET", default_value = "+00:00", value_parser = utc_offset)]
    utc_offset: i32,
    /// Write the report to this file as JSON, too
    #[arg(long, value_name = "REPORT")]
    json: Option<PathBuf>,
}

/// Parses the name of a folder.
fn folder(text: &str) -> Result<PathBuf, String> {
    if text.contains("://") {
        return Err("must be a local folder: copy it to a bucket afterwards".to_owned());
    }
    Ok(text.into())
}

/// Parses `+09:00`, `-0330` or `Z` to seconds east of UTC.
fn utc_offset(text: &str) -> Result<i32, String> {
    let problem = || "write an offset like +09:00, -03:30 or Z".to_owned();
    if text == "Z" {
        return Ok(0);
    }
    let (sign, digits) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(digits), _) => (1, digits),
        (_, Some(digits)) => (-1, digits),
        _ => return Err(problem()),
    };
    let digits: String = digits.chars().filter(|&letter| letter != ':').collect();
    let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i32>().ok();
    let (hours, minutes) = number(0..2).zip(number(2..4)).ok_or_else(problem)?;
    if digits.len() != 4 || hours > 18 || minutes > 59 {
        return Err(problem());
    }
    Ok(sign * (hours * 3_600 + minutes * 60))
}

/// What became of a file.
struct Outcome {
    report: Report,
    paths: Vec<String>,
    /// Why it was not read or written to its end.
    failure: Option<String>,
}

pub(super) async fn run(args: Args, shutdown: &CancellationToken) -> anyhow::Result<ExitCode> {
    let stopped = shutdown.clone();
    let work = tokio::task::spawn_blocking(move || clean(&args, &stopped));
    tokio::pin!(work);
    tokio::select! {
        outcome = &mut work => return outcome?,
        () = shutdown.cancelled() => {}
    }
    // A thread that waits for standard input sees no signal.
    match tokio::time::timeout(STOP_TIMEOUT, work).await {
        Ok(outcome) => outcome?,
        Err(_) => anyhow::bail!("stopped by a signal: no rows are written of what was being read"),
    }
}

fn clean(args: &Args, shutdown: &CancellationToken) -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    // What cannot be written is told before the work, not after it.
    let json = args.json.as_deref().map(create_report).transpose()?;
    create_out(&args.out)?;
    let files = distinct(&args.files);
    let bar = progress_bar::on_stderr(total_bytes(&files));
    let outcomes = all_files(&files, args, &bar, shutdown);
    bar.finish_and_clear();

    let written: Vec<String> = outcomes.iter().flat_map(|outcome| outcome.paths.iter().cloned()).collect();
    Folder::new(&args.out).remove_replaced(&written)?;
    let mut totals = Totals::new(start.elapsed().as_secs_f64());
    let mut failed = false;
    for outcome in outcomes {
        totals.add(&outcome.report, outcome.paths);
        if let Some(failure) = outcome.failure {
            failed = true;
            // With a closed stderr, the exit code still says so.
            let _ = writeln!(io::stderr(), "error: {failure}");
        }
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(report::to_text(&totals, &args.out).as_bytes())?;
    stdout.flush()?;
    if let Some(mut file) = json {
        writeln!(file, "{:#}", report::to_json(&totals)).context("--json: cannot write the report")?;
    }
    Ok(if failed { ExitCode::from(exit::FAILURE) } else { ExitCode::SUCCESS })
}

/// Creates the file of the report.
fn create_report(path: &Path) -> Result<File, SettingError> {
    File::create(path)
        .map_err(|error| SettingError::of_flag("json", format!("cannot write {}: {error}", path.display())))
}

/// Creates the folder of the lake, where it is missing.
fn create_out(out: &Path) -> Result<(), SettingError> {
    let created = std::fs::create_dir_all(out);
    created.map_err(|error| SettingError::of_flag("out", format!("cannot make the folder {}: {error}", out.display())))
}

/// The files, each once, whatever names it was given by.
fn distinct(files: &[PathBuf]) -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    let real = |path: &Path| {
        if path == Path::new(STDIN) { path.to_owned() } else { path.canonicalize().unwrap_or(path.to_owned()) }
    };
    files.iter().filter(|path| seen.insert(real(path))).cloned().collect()
}

/// Cleans the files, as many at once as there are processors; the outcomes are in the files' order.
fn all_files(files: &[PathBuf], args: &Args, bar: &ProgressBar, shutdown: &CancellationToken) -> Vec<Outcome> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(files.len());
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(path) = files.get(index) else { break };
                    let outcome = one_file(path, args, bar, shutdown);
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((index, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|&(index, _)| index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn one_file(path: &Path, args: &Args, bar: &ProgressBar, shutdown: &CancellationToken) -> Outcome {
    let failed = |failure: String| Outcome { report: Report::default(), paths: Vec::new(), failure: Some(failure) };
    let (input, source) = match open(path, args) {
        Ok(opened) => opened,
        Err(error) => return failed(format!("cannot read {}: {error}", path.display())),
    };
    let input = Counted { input, bar: bar.clone(), shutdown: shutdown.clone() };
    let mut lake = Folder::new(&args.out);
    let mut writer = LakeWriter::new(&mut lake, &source);
    let cleaned = millrace_lake::clean(BufReader::with_capacity(BLOCK, input), &source, &mut writer);
    // The rows of a part of a file are not to take the place of those of the whole: nothing is finished.
    if shutdown.is_cancelled() {
        return failed(format!("{}: stopped by a signal, its rows are not written", source.name));
    }
    let (report, mut failure) = match cleaned {
        Ok(report) => (report, None),
        Err(error @ CleanError::Write { .. }) => return failed(error.to_string()),
        // What was read is kept.
        Err(CleanError::Read { report, source_name, error }) => {
            (*report, Some(format!("{source_name} could not be read to its end: {error}")))
        }
    };
    let paths = writer.finish().unwrap_or_else(|error| {
        failure = Some(format!("the rows of {} could not be written: {error}", source.name));
        Vec::new()
    });
    Outcome { report, paths, failure }
}

/// Opens a file, or standard input.
fn open(path: &Path, args: &Args) -> io::Result<(Box<dyn Read>, Source)> {
    let source = |name: String, identity: String, written: SystemTime| Source {
        name,
        identity,
        service: args.service.clone(),
        observed: unix_nanoseconds(written),
        offset: args.utc_offset,
    };
    if path == Path::new(STDIN) {
        // What comes by a pipe has no name: rows of another run are not to take its files' place.
        let now = SystemTime::now();
        let identity = format!("stdin {}", unix_nanoseconds(now));
        return Ok((Box::new(io::stdin()), source(STDIN.to_owned(), identity, now)));
    }
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::other("it is a folder"));
    }
    if !metadata.is_file() {
        // A pipe has a name, and something else in it each time.
        let now = SystemTime::now();
        let identity = format!("{} {}", path.display(), unix_nanoseconds(now));
        return Ok((Box::new(file), source(path.display().to_string(), identity, now)));
    }
    refuse_unread(&mut file)?;
    // Names that are no UTF-8 are to differ as well.
    let mut identity = path.canonicalize()?.as_os_str().as_encoded_bytes().escape_ascii().to_string();
    // After a rotation another file has the name. A file that cannot be read is told when it is cleaned.
    let hash = millrace_lake::first_line_hash(BufReader::new(File::open(path)?)).unwrap_or_default();
    let _ = write!(identity, " {hash:016x}");
    let written = metadata.modified().unwrap_or(SystemTime::now());
    // A link goes under the name of its file: cleaned by either, the rows are the same ones.
    let name = if path.is_symlink() { path.canonicalize()? } else { path.to_owned() };
    Ok((Box::new(file), source(name.display().to_string(), identity, written)))
}

/// Refuses a file that is compressed in a way that is not read: its lines would all be quarantined.
fn refuse_unread(file: &mut File) -> io::Result<()> {
    let mut begin = Vec::new();
    Read::by_ref(file).take(MAGIC).read_to_end(&mut begin)?;
    file.rewind()?;
    match UNREAD.iter().find(|(magic, _)| begin.starts_with(magic)) {
        Some((_, name)) => Err(io::Error::other(format!("it is {name}: only gzip and zstd are read"))),
        None => Ok(()),
    }
}

/// Bytes of all files; none where one is no file, and its length unknown.
fn total_bytes(files: &[PathBuf]) -> Option<u64> {
    files
        .iter()
        .map(|path| std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|file| file.len()))
        .sum()
}

fn unix_nanoseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// An input whose bytes move the progress bar, and which ends at a signal.
struct Counted {
    input: Box<dyn Read>,
    bar: ProgressBar,
    shutdown: CancellationToken,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.shutdown.is_cancelled() {
            return Err(io::Error::other("stopped by a signal"));
        }
        let read = self.input.read(buffer)?;
        self.bar.inc(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_hours_and_minutes_with_a_sign() {
        for (text, seconds) in [("+09:00", 32_400), ("-0330", -12_600), ("Z", 0), ("+00:00", 0)] {
            assert_eq!(utc_offset(text), Ok(seconds));
        }
        for wrong in ["", "9", "09:00", "+9", "+24:00", "+09:60", "Asia/Tokyo", "+é0:00"] {
            assert!(utc_offset(wrong).unwrap_err().contains("+09:00"), "{wrong}");
        }
    }
}
