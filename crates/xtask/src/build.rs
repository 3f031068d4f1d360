//! A function's program, built for Lambda by cargo-lambda.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
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
    /// That of this machine.
    pub(crate) fn of_this_machine() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Arm64 } else { Self::X86 }
    }

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

/// Builds the program as `cargo build` does, for this machine and without AWS's clients, and returns its bytes.
///
/// # Errors
/// cargo fails.
pub(crate) fn for_tests(function: &Function, root: &Path, target: &Path) -> anyhow::Result<Vec<u8>> {
    let mut command = Command::new("cargo");
    command.args(["build", "--locked", "--package", &function.package]);
    if function.has_database {
        command.args(["--features", "database"]);
    }
    // Debug information is of no use in a zip.
    let status =
        command.current_dir(root).env("CARGO_PROFILE_DEV_DEBUG", "0").status().context("cargo cannot be run")?;
    ensure!(status.success(), "cargo build failed ({status})");
    let built = target.join("debug").join(&function.program);
    fs::read(&built).with_context(|| format!("cannot read {}", built.display()))
}

/// Where what is shipped is built: OpenSSL has the path of its build in it, so that is the same everywhere.
const TARGET: &str = "/tmp/millrace-package";

/// Builds the program with the profile `function`, and returns its bytes.
///
/// # Errors
/// cargo-lambda is missing or fails.
pub(crate) fn program(function: &Function, architecture: Architecture, root: &Path) -> anyhow::Result<Vec<u8>> {
    let folder = Path::new(TARGET).join("lambda").join(&function.program);
    let zig = Zig::write(architecture)?;
    let status = Command::new("cargo")
        .args(["lambda", "build", "--profile", "function", "--output-format", "binary", "--locked"])
        .args(["--package", &function.package, architecture.flag()])
        .current_dir(root)
        .env("CARGO_TARGET_DIR", TARGET)
        // No path of this machine in panics.
        .env("CARGO_ENCODED_RUSTFLAGS", remapped(root).join("\x1f"))
        // librdkafka's configure knows no target: it takes these. cargo-lambda sets them for cc's crates alone.
        .env("CC", &zig.compiler)
        .env("AR", &zig.archiver)
        .env("HOST_CC", "cc")
        // It also links a shared library, whose list of symbols has some that are not built; zig's linker minds.
        .env("LDFLAGS", "-Wl,--undefined-version")
        // Small code for what make builds, librdkafka and OpenSSL: a function spends little time in them, and a larger program starts
        // later. It replaces the flags in .cargo/config.toml.
        .env("GNUMAKEFLAGS", "LIBSUBDIRS=src --eval=%.o:CFLAGS+=-Os")
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

/// Programs that call zig for one architecture, as a C compiler and as an archiver.
struct Zig {
    compiler: PathBuf,
    archiver: PathBuf,
}

impl Zig {
    /// Writes them. zig may be a program, or the Python package of that name.
    fn write(architecture: Architecture) -> anyhow::Result<Self> {
        // Lambda's glibc: https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html
        let target = match architecture {
            Architecture::Arm64 => "aarch64-linux-gnu.2.34",
            Architecture::X86 => "x86_64-linux-gnu.2.34",
        };
        let folder = Path::new(TARGET).join("zig").join(architecture.as_str());
        let wrapper = |name: &str, arguments: &str| -> anyhow::Result<PathBuf> {
            let path = folder.join(name);
            let text = format!(
                "#!/bin/sh\nif command -v zig >/dev/null; then exec zig {arguments} \"$@\"; fi\n\
                 exec python3 -m ziglang {arguments} \"$@\"\n"
            );
            let write = || {
                fs::create_dir_all(&folder)?;
                fs::write(&path, text)?;
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
            };
            write().with_context(|| format!("cannot write {}", path.display()))?;
            Ok(path)
        };
        Ok(Self { compiler: wrapper("cc", &format!("cc -target {target}"))?, archiver: wrapper("ar", "ar")? })
    }
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
