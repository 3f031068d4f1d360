//! Cleaning logs and compacting their rows, compared with what reading costs at least, and with `DuckDB` for the same lines.
//!
//! `DuckDB` runs on one thread where `MILLRACE_READERS` names a Python that has it, such as that of `scripts/lake readers`.
#![allow(missing_docs)]

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, Read, Write as _};
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use millrace_bench::{Process, cpu_time, median_of};
use millrace_host as _;
use millrace_lake::compact::compact;
use millrace_lake::{Folder, LakeWriter, Source, clean};

const RUNS: usize = 7;

/// Lines of a file, and its size about.
const LINES: u64 = 400_000;

/// Makes the line of a number.
type Line = fn(u64) -> String;

/// The number of a file's line.
type Order = fn(u64, u64) -> u64;

/// Sizes of the inputs whose memory is measured.
const SIZES: [u64; 2] = [10 << 20, 1 << 30];

/// Reads JSON lines and writes Parquet in `DuckDB`, on one thread and with our level of zstd; prints the CPU seconds. Without
/// its setting the bar would be printed where a query takes two seconds, since a script in an argument counts as interactive.
const DUCKDB: &str = "\
import duckdb, sys, time
duckdb.sql('SET threads = 1')
duckdb.sql('SET enable_progress_bar = false')
start = time.process_time()
duckdb.sql(f\"COPY (SELECT * FROM read_json('{sys.argv[1]}', format = 'newline_delimited')) TO '{sys.argv[2]}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)\")
print(time.process_time() - start)
";

/// What stands beside a figure where there is no `DuckDB`.
const NO_DUCKDB: &str = "DuckDB: MILLRACE_READERS is not set";

/// Files of rows that are compacted.
const FILES: u64 = 60;

/// Sorts files of rows by time in `DuckDB`, on one thread; prints the CPU seconds.
const DUCKDB_SORT: &str = "\
import duckdb, sys, time
duckdb.sql('SET threads = 1')
duckdb.sql('SET enable_progress_bar = false')
start = time.process_time()
duckdb.sql(f\"COPY (SELECT * FROM read_parquet('{sys.argv[1]}/cleaned/**/*.parquet') ORDER BY time_ns) TO '{sys.argv[2]}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)\")
print(time.process_time() - start)
";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, command, size] = arguments.as_slice()
        && command == "memory"
    {
        return memory(size.parse()?);
    }
    let folder = tempfile::tempdir()?;
    println!("| {LINES} lines, gzip in, zstd Parquet out | MB | MB/s of CPU | beside it |");
    println!("|---|---|---|---|");
    let kinds: [(&str, Line); 3] = [("JSON", json), ("Hadoop", hadoop), ("access", access)];
    for (name, line) in kinds {
        let path = folder.path().join(format!("{name}.log.gz"));
        let bytes = write(&path, line)?;
        let rate = |seconds: f64| megabytes(bytes) / seconds;
        let [cleaned, inflated, duckdb] =
            in_turns([&mut || clean_file(&path, folder.path()), &mut || inflate(&path), &mut || {
                if name == "JSON" { duckdb(DUCKDB, &path, folder.path()) } else { Ok(f64::NAN) }
            }])?;
        let mut beside = format!("inflating alone {:.0}", rate(median_of(&inflated)));
        if name == "JSON" {
            write!(beside, "; {}", beside_duckdb(&cleaned, &duckdb, rate))?;
        }
        let cleaned = median_of(&cleaned);
        println!("| {name} | {:.0} | {:.0} | {beside} |", megabytes(bytes), rate(cleaned));
    }
    compaction()?;
    for size in SIZES {
        let output = Command::new(std::env::current_exe()?).args(["memory", &size.to_string()]).output()?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        println!(
            "peak memory of {:.0} MB of JSON lines: {}",
            megabytes(size),
            String::from_utf8(output.stdout)?.trim()
        );
    }
    Ok(())
}

/// CPU seconds of a script of `DuckDB` for an input; NaN where there is no `DuckDB`.
fn duckdb(script: &str, input: &Path, folder: &Path) -> anyhow::Result<f64> {
    let Some(python) = std::env::var_os("MILLRACE_READERS") else { return Ok(f64::NAN) };
    let mut command = Command::new(&python);
    let output = command.args(["-c", script]).arg(input).arg(folder.join("duck.parquet")).output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// What stands beside a figure: `DuckDB`'s, and how many times ours is as fast, by the median, the least and the greatest of the
/// turns' ratios.
fn beside_duckdb(ours: &[f64], duckdb: &[f64], rate: impl Fn(f64) -> f64) -> String {
    let times: Vec<f64> = ours.iter().zip(duckdb).map(|(ours, duckdb)| duckdb / ours).collect();
    if median_of(&times).is_nan() {
        return NO_DUCKDB.to_owned();
    }
    let (least, greatest) =
        times.iter().fold((f64::MAX, 0.0), |(least, greatest), &times| (times.min(least), times.max(greatest)));
    format!("DuckDB {:.0}, {:.2} times ({least:.2} to {greatest:.2})", rate(median_of(duckdb)), median_of(&times))
}

/// Compacts the lines' rows from files of successive times, and from files that are all of the same time.
fn compaction() -> anyhow::Result<()> {
    println!("| {LINES} rows in {FILES} files, compacted | rows/s of CPU | beside it |");
    println!("|---|---|---|");
    let orders: [(&str, Order); 2] = [
        ("successive", |file, row| file * (LINES / FILES) + row),
        ("of the same time", |file, row| row * FILES + file),
    ];
    for (name, number) in orders {
        let folder = tempfile::tempdir()?;
        let mut inputs = Vec::new();
        for file in 0..FILES {
            let source = source(Path::new(&format!("{file}.log")));
            let mut files = Folder::new(folder.path());
            let mut writer = LakeWriter::new(&mut files, &source);
            let lines: String = (0..LINES / FILES).map(|row| json(number(file, row))).collect();
            clean(lines.as_bytes(), &source, &mut writer)?;
            inputs.extend(writer.finish()?.into_iter().map(|path| folder.path().join(path)));
        }
        let out = tempfile::tempdir()?;
        let [ours, duckdb] = in_turns([
            &mut || {
                cpu_seconds(|| {
                    let compacted = compact(&inputs, "compacted", &mut Folder::new(out.path()), out.path())?;
                    anyhow::ensure!(
                        compacted.rows == LINES / FILES * FILES && compacted.duplicates == 0,
                        "{compacted:?}"
                    );
                    Ok(())
                })
            },
            &mut || duckdb(DUCKDB_SORT, folder.path(), out.path()),
        ])?;
        let (seconds, beside) = (median_of(&ours), beside_duckdb(&ours, &duckdb, rows));
        println!("| {name} | {:.0} | {beside} |", rows(seconds));
    }
    Ok(())
}

/// Rows a second.
#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn rows(seconds: f64) -> f64 {
    LINES as f64 / seconds
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Runs works in turns, so that what else the machine does meets them alike; returns the seconds of each.
fn in_turns<const WORKS: usize>(
    mut works: [&mut dyn FnMut() -> anyhow::Result<f64>; WORKS],
) -> anyhow::Result<[Vec<f64>; WORKS]> {
    let mut seconds = [const { Vec::new() }; WORKS];
    for _ in 0..RUNS {
        for (work, seconds) in works.iter_mut().zip(&mut seconds) {
            seconds.push(work()?);
        }
    }
    Ok(seconds)
}

/// CPU seconds of this process that `work` takes.
fn cpu_seconds(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let before = cpu_time(Process::This)?;
    work()?;
    Ok(cpu_time(Process::This)?.saturating_sub(before).as_secs_f64())
}

fn source(path: &Path) -> Source {
    let name = path.display().to_string();
    Source { identity: name.clone(), name, service: "bench".to_owned(), observed: 1_795_867_200_000_000_000, offset: 0 }
}

fn clean_file(path: &Path, folder: &Path) -> anyhow::Result<f64> {
    cpu_seconds(|| {
        let source = source(path);
        let mut files = Folder::new(folder.join("lake"));
        let mut writer = LakeWriter::new(&mut files, &source);
        let report = clean(BufReader::with_capacity(256 * 1024, File::open(path)?), &source, &mut writer)?;
        anyhow::ensure!(report.rows == LINES, "{report:?}");
        writer.finish()?;
        Ok(())
    })
}

fn inflate(path: &Path) -> anyhow::Result<f64> {
    cpu_seconds(|| {
        io::copy(&mut MultiGzDecoder::new(File::open(path)?), &mut io::sink())?;
        Ok(())
    })
}

/// Writes the lines, compressed; returns their bytes.
fn write(path: &Path, line: impl Fn(u64) -> String) -> anyhow::Result<u64> {
    let mut file = GzEncoder::new(File::create(path)?, Compression::default());
    let mut bytes = 0;
    for number in 0..LINES {
        let line = line(number);
        file.write_all(line.as_bytes())?;
        bytes += line.len() as u64;
    }
    file.finish()?;
    Ok(bytes)
}

/// A number that looks like chance, the same in each run (splitmix64 of Steele, Lea and Flood).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

fn time(number: u64) -> Timestamp {
    let start = Timestamp::constant(1_795_867_200, 0);
    start + SignedDuration::from_micros(i64::try_from(number * 4_000 + mixed(number) % 4_000).unwrap_or_default())
}

fn message(number: u64) -> String {
    let id = mixed(number) % 1_000_000;
    match mixed(number) % 5 {
        0 => "request completed".to_owned(),
        1 => format!("cache miss for key user:{id}"),
        2 => format!("payment settled for order o-{id}"),
        3 => format!("slow query on table orders, id {id}"),
        _ => format!("user {id} logged in"),
    }
}

fn level(number: u64) -> &'static str {
    ["info", "info", "info", "info", "info", "info", "info", "warn", "debug", "error"][(mixed(number) % 10) as usize]
}

fn json(number: u64) -> String {
    let (high, low) = (mixed(number), mixed(number ^ 1 << 40));
    let service = ["checkout", "payments", "search", "users", "gateway"][(high % 5) as usize];
    format!(
        "{{\"time\":\"{:.6}\",\"level\":\"{}\",\"service\":\"{service}\",\"msg\":\"{}\",\"trace_id\":\"{high:016x}{low:016x}\",\
         \"span_id\":\"{:016x}\",\"method\":\"GET\",\"path\":\"/api/v1/orders/{}\",\"status\":{},\"duration_ms\":{}.{:03},\
         \"user_id\":{}}}\n",
        time(number),
        level(number),
        message(number),
        mixed(number ^ 1 << 41),
        high % 100_000,
        [200, 200, 201, 404, 500][(low % 5) as usize],
        low % 200,
        high % 1_000,
        low % 1_000_000
    )
}

fn hadoop(number: u64) -> String {
    let text = time(number).strftime("%Y-%m-%d %H:%M:%S,%3f");
    format!(
        "{text} {:<5} org.example.app.Orders (Orders.java:run({})) - {}\n",
        level(number).to_uppercase(),
        number % 500,
        message(number)
    )
}

fn access(number: u64) -> String {
    let (text, chance) = (time(number).strftime("%d/%b/%Y:%H:%M:%S +0000"), mixed(number));
    format!(
        "10.{}.{}.{} - - [{text}] \"GET /api/v1/orders/{} HTTP/1.1\" {} {} \"https://shop.example/\" \"Mozilla/5.0 (X11; Linux x86_64)\"\n",
        chance % 256,
        chance / 256 % 256,
        chance / 65_536 % 256,
        chance % 100_000,
        [200, 200, 201, 404, 500][(chance % 5) as usize],
        chance % 50_000
    )
}

/// Lines of JSON, made as they are read.
struct Endless {
    number: u64,
    left: Vec<u8>,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left.is_empty() {
            self.left = json(self.number).into_bytes();
            self.number += 1;
        }
        let count = buffer.len().min(self.left.len());
        buffer[..count].copy_from_slice(&self.left[..count]);
        self.left.drain(..count);
        Ok(count)
    }
}

/// Cleans this many bytes, and prints the most memory that this process had.
fn memory(bytes: u64) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let source = source(Path::new("endless.log"));
    let mut files = Folder::new(folder.path());
    let mut writer = LakeWriter::new(&mut files, &source);
    let input = Endless { number: 0, left: Vec::new() }.take(bytes);
    clean(BufReader::with_capacity(256 * 1024, input), &source, &mut writer)?;
    writer.finish()?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM in /proc/self/status")?;
    println!("{}", peak.trim());
    Ok(())
}
