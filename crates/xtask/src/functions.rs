//! The workspace's functions: the packages in `functions/`.

use anyhow::{Context as _, ensure};
use cargo_metadata::{Metadata, Package, TargetKind};

/// A function: a package with one program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name in the manifest and in Terraform: that of its program without `millrace-`.
    pub(crate) name: String,
    /// The package.
    pub(crate) package: String,
    /// The program.
    pub(crate) program: String,
    /// Whether it has the feature `database`.
    pub(crate) has_database: bool,
}

/// The functions, by name.
///
/// # Errors
/// A package there has no program of its own.
pub(crate) fn all(metadata: &Metadata) -> anyhow::Result<Vec<Function>> {
    let folder = metadata.workspace_root.join("functions");
    let packages = metadata.workspace_packages().into_iter();
    let functions = packages.filter(|package| package.manifest_path.starts_with(&folder)).map(function);
    let mut functions = functions.collect::<anyhow::Result<Vec<_>>>()?;
    functions.sort_by(|one, other| one.name.cmp(&other.name));
    ensure!(!functions.is_empty(), "no package in {folder}");
    Ok(functions)
}

fn function(package: &Package) -> anyhow::Result<Function> {
    let mut programs = package.targets.iter().filter(|target| target.kind.contains(&TargetKind::Bin));
    let program = &programs.next().with_context(|| format!("{} has no program", package.name))?.name;
    ensure!(programs.next().is_none(), "{} has more than one program", package.name);
    let name = program.strip_prefix("millrace-").with_context(|| format!("{program} is not named millrace-…"))?;
    let has_database = package.features.contains_key("database");
    Ok(Function { name: name.to_owned(), package: package.name.to_string(), program: program.clone(), has_database })
}
