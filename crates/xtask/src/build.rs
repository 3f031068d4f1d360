//! A function's program, built for Lambda by cargo-lambda.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use clap::ValueEnum;

use crate::functions::Function;

/// A processor architecture, by Lambda's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Architecture {
    /// Graviton
    #[value(name = "arm64")]
    Arm64,
    /// Intel and AMD
    #[value(name = "x86_64")]
    X86,
}

impl Architecture {
    /// Lambda's name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86 => "x86_64",
        }
    }

    fn flag(self) -> &'static str {
        match self {
            Self::Arm64 => "--arm64",
            Self::X86 => "--x86-64",
        }
    }
}

/// Builds the program with the profile `dist`, and returns its bytes.
///
/// # Errors
/// cargo-lambda is missing or fails.
pub(crate) fn program(
    function: &Function,
    architecture: Architecture,
    root: &Path,
    target: &Path,
) -> anyhow::Result<Vec<u8>> {
    let folder = target.join("lambda").join(&function.program);
    let status = Command::new("cargo")
        .args(["lambda", "build", "--profile", "dist", "--output-format", "binary", "--locked"])
        .args(["--package", &function.package, architecture.flag()])
        .current_dir(root)
        .env("CARGO_TARGET_DIR", target)
        // No path of this machine in panics: the same commit gives the same bytes in any folder.
        .env("CARGO_ENCODED_RUSTFLAGS", remapped(root).join("\x1f"))
        // OpenSSL has its build's time in it.
        .env("SOURCE_DATE_EPOCH", "0")
        .status()
        .context("cargo lambda cannot be run; pip install cargo-lambda ziglang")?;
    ensure!(
        status.success(),
        "cargo lambda build failed ({status}); cargo lambda and zig: pip install cargo-lambda ziglang"
    );
    let built = folder.join("bootstrap");
    fs::read(&built).with_context(|| format!("cannot read {}", built.display()))
}

/// rustc's flags that write other paths in place of this machine's.
fn remapped(root: &Path) -> Vec<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    [(Some(root.to_owned()), "/millrace"), (home, "/cargo")]
        .into_iter()
        .filter_map(|(from, to)| Some(remap(&from?, to)))
        .collect()
}
