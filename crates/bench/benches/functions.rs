//! What the functions' artifacts cost before their first event: the zip, the start until the first `next`, memory; and what log-clean takes
//! for 100 MB of lines. Beside each, the limit.
//!
//! `cargo xtask package --arch x86_64` makes them; `MILLRACE_DIST` names another folder than `dist`. Each start is of a process, of
//! which this machine has the files in memory: Lambda's own part of a cold start is not in it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use millrace_broker::embedded::Embedded;
use millrace_testkit::Bucket;
use millrace_testkit::lambda::{Function, event};
use serde_json::{Value, json};

/// Starts of each function, of which the median counts.
const STARTS: usize = 15;

/// The limits: bytes of a zip, the time of a start, bytes of memory.
const ZIP_LIMIT: f64 = 8e6;
const START_LIMIT: Duration = Duration::from_millis(25);
const MEMORY_LIMIT: f64 = 256e6;

/// Lines of the object that log-clean cleans: 100 MB.
const LINES: usize = 400_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let dist = std::env::var_os("MILLRACE_DIST").map_or_else(|| workspace().join("dist"), PathBuf::from);
    let manifest = fs::read(dist.join("manifest.json"));
    let manifest = manifest.with_context(|| format!("no artifacts in {}: run cargo xtask package", dist.display()))?;
    let manifest: Value = serde_json::from_slice(&manifest)?;
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    let folder = tempfile::tempdir()?;
    let broker = Embedded::start(&[("cleaned-logs", 3)])?;
    let bucket = Bucket::start("lake").await;

    println!(
        "| function | zip, MB | of {:.0} | start to first `next`, ms | of {} | resident, MB |",
        ZIP_LIMIT / 1e6,
        START_LIMIT.as_millis()
    );
    println!("|---|---|---|---|---|---|");
    for (name, artifacts) in manifest["functions"].as_object().context("a manifest of functions")? {
        let Some(file) = artifacts[architecture]["file"].as_str() else {
            println!("| {name} | no artifact for {architecture} |");
            continue;
        };
        let zip = dist.join(file);
        let bytes = megabytes(fs::metadata(&zip)?.len());
        let program = unpacked(&zip, &folder.path().join(name))?;
        let function = function(&program, &broker, &bucket);
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            let lambda = function.clone().deploy();
            // It is no event of any function: the start is what counts.
            let _ = lambda.invoke(&json!({})).await;
            let environments = lambda.environments();
            let started = environments.first().and_then(|environment| environment.startup());
            starts.push(started.with_context(|| format!("{name} does not start"))?);
        }
        starts.sort_by_key(|start| start.to_first_next);
        let median = starts[STARTS / 2];
        println!(
            "| {name} | {bytes:.1} | {:.0} % | {:.1} | {:.0} % | {:.1} |",
            bytes * 1e8 / ZIP_LIMIT,
            median.to_first_next.as_secs_f64() * 1e3,
            median.to_first_next.as_secs_f64() / START_LIMIT.as_secs_f64() * 100.0,
            megabytes(median.resident),
        );
        if name == "log-clean" {
            clean(function, &bucket).await?;
        }
    }
    Ok(())
}

/// The workspace's folder.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The program of a zip.
fn unpacked(zip: &Path, program: &Path) -> anyhow::Result<PathBuf> {
    let mut archive = zip::ZipArchive::new(fs::File::open(zip)?)?;
    let mut bytes = Vec::new();
    archive.by_name("bootstrap")?.read_to_end(&mut bytes)?;
    fs::write(program, bytes)?;
    fs::set_permissions(program, fs::Permissions::from_mode(0o755))?;
    Ok(program.to_owned())
}

/// A function with the settings that some of them need.
fn function(program: &Path, broker: &Embedded, bucket: &Bucket) -> Function {
    let settings = [
        ("DATABASE_URL", "postgres://millrace@127.0.0.1:9/millrace"),
        ("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers()),
        ("MILLRACE_LAKE", "s3://lake"),
        ("MILLRACE_ALERTS_TOPIC", "arn:aws:sns:eu-central-1:123456789012:alerts"),
        ("MILLRACE_ATHENA_DATABASE", "millrace"),
        ("MILLRACE_ATHENA_WORKGROUP", "millrace"),
    ];
    let function = Function::new(program).never_frozen().time_out(Duration::from_secs(120));
    function.variables(settings.map(|(name, value)| (name, value.to_owned()))).variables(bucket.variables())
}

/// What log-clean takes for an object.
async fn clean(function: Function, bucket: &Bucket) -> anyhow::Result<()> {
    let mut object = GzEncoder::new(Vec::new(), Compression::default());
    let mut bytes = 0;
    for line in 0..LINES {
        let time = format!("2026-01-31T12:{:02}:{:02}.{:03}Z", line / 6_667, line / 111 % 60, line % 1_000);
        let text = format!(
            "{{\"time\":\"{time}\",\"level\":\"info\",\"service\":\"pay\",\"msg\":\"order {} is paid by customer {}\",\
             \"trace_id\":\"{:032x}\",\"duration_ms\":{},\"order\":\"o{}\",\"region\":\"eu-central-1\",\"host\":\"ip-10-0-0-{}\"}}\n",
            line * 7_919 % 100_000,
            line * 31 % 5_000,
            line * 2_654_435_761,
            line % 997,
            line % 7_777,
            line % 250,
        );
        bytes += text.len() as u64;
        object.write_all(text.as_bytes())?;
    }
    bucket.put("raw/large.gz", object.finish()?);
    let lambda = function.deploy();
    let begun = std::time::Instant::now();
    let answer = lambda.invoke(&event::object_created("lake", "raw/large.gz")).await;
    let seconds = begun.elapsed().as_secs_f64();
    let cleaned: Value = serde_json::from_slice(&answer.map_err(|failure| anyhow::anyhow!("{failure:?}"))?)?;
    anyhow::ensure!(cleaned["rows"] == LINES, "{cleaned}");
    let environments = lambda.environments();
    let peak = environments.first().map_or(0, |environment| environment.peak_resident());
    println!(
        "| – {:.0} MB of lines, with their records | | | {seconds:.1} s | | {:.0}, {:.0} % of {:.0} |",
        megabytes(bytes),
        megabytes(peak),
        megabytes(peak) * 1e8 / MEMORY_LIMIT,
        MEMORY_LIMIT / 1e6,
    );
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "for a person")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
