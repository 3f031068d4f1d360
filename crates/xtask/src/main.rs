//! Tasks of this repository that are no test and no program of it: `cargo xtask package`.

mod archive;
mod build;
mod functions;
mod manifest;
mod package;
#[cfg(test)]
mod targets;

use std::process::ExitCode;

use clap::Parser;

/// Build what is shipped
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version)]
enum Task {
    Package(package::Args),
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Package(args) => package::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
