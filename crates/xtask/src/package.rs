//! `cargo xtask package`: the functions' zips and their manifest.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use cargo_metadata::MetadataCommand;

use crate::archive::{self, Effort};
use crate::build::{self, Architecture};
use crate::functions::{self, Function};
use crate::manifest::{Artifact, Manifest};

const EXAMPLES: &str = "\
Examples:
  cargo xtask package                      all functions, for Graviton
  cargo xtask package --arch x86_64        for Intel and AMD
  cargo xtask package api --arch arm64 --arch x86_64

Needs cargo-lambda and zig, which compiles C for Lambda's glibc: pip install cargo-lambda ziglang. Programs are built in \
/tmp/millrace-package. Older zips stay in the folder, for a rollback by Terraform's function_sha256.";

/// Build the functions' zips, and the manifest that Terraform reads
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The functions [default: all]
    #[arg(value_name = "FUNCTION")]
    functions: Vec<String>,
    /// Architecture; more than once for several
    #[arg(long = "arch", value_name = "ARCH", value_enum, default_values_t = [Architecture::Arm64])]
    architectures: Vec<Architecture>,
    /// Build as cargo build does, for this machine and without AWS's clients: for tests of a deployment
    #[arg(long, conflicts_with = "architectures")]
    for_tests: bool,
    /// Where zips and manifest.json are written [default: dist, in the workspace]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Packages.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let metadata = MetadataCommand::new().no_deps().exec().context("cargo metadata failed")?;
    let root = metadata.workspace_root.as_std_path();
    let target = metadata.target_directory.as_std_path();
    let functions = chosen(functions::all(&metadata)?, &args.functions)?;
    let out = args.out.clone().unwrap_or_else(|| root.join("dist"));
    fs::create_dir_all(out.join("functions")).with_context(|| format!("cannot make {}", out.display()))?;

    let mut manifest = Manifest::read(&out)?;
    env!("CARGO_PKG_VERSION").clone_into(&mut manifest.version);
    let own = [Architecture::of_this_machine()];
    for &architecture in if args.for_tests { &own[..] } else { &args.architectures } {
        for function in &functions {
            eprintln!("{} for {}", function.program, architecture.as_str());
            let program = if args.for_tests {
                build::for_tests(function, root, target)?
            } else {
                build::program(function, architecture, root)?
            };
            let effort = if args.for_tests { Effort::Quick } else { Effort::Best };
            let zip = archive::zip(&program, effort).with_context(|| format!("cannot pack {}", function.program))?;
            let (sha256, bytes) = (archive::sha256(&zip), u64::try_from(zip.len())?);
            let artifact = Artifact::named(&function.program, architecture.as_str(), sha256, bytes);
            let path = out.join(&artifact.file);
            fs::write(&path, zip).with_context(|| format!("cannot write {}", path.display()))?;
            println!("{}  {:>9} bytes  {}", artifact.sha256, artifact.bytes, artifact.file);
            let artifacts = manifest.functions.entry(function.name.clone()).or_default();
            artifacts.insert(architecture.as_str().to_owned(), artifact);
            // After each: what was built before an error can be used.
            manifest.write(&out)?;
        }
    }
    eprintln!("{}", out.join("manifest.json").display());
    Ok(())
}

fn chosen(functions: Vec<Function>, names: &[String]) -> anyhow::Result<Vec<Function>> {
    if let Some(unknown) = names.iter().find(|name| functions.iter().all(|function| function.name != **name)) {
        let known: Vec<&str> = functions.iter().map(|function| &*function.name).collect();
        bail!("there is no function {unknown}: {}", known.join(", "));
    }
    let is_chosen = |function: &Function| names.is_empty() || names.contains(&function.name);
    Ok(functions.into_iter().filter(is_chosen).collect())
}
