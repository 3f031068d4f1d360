//! Targets without tests are not built as tests. This holds as long as they have none.

use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::MetadataCommand;

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// Whether a source has a test of its own, and whether its documentation has an example in Rust.
fn has_tests(source: &str) -> (bool, bool) {
    const OTHER_LANGUAGES: [&str; 5] = ["text", "sql", "json", "toml", "ignore"];
    let lines = || source.lines().map(str::trim_start);
    let marks = ["#[test]", "#[tokio::test", "proptest! {"];
    let has_test = lines().any(|line| marks.iter().any(|mark| line.starts_with(mark)));
    let fences = lines().filter_map(|line| line.strip_prefix("/// ```").or_else(|| line.strip_prefix("//! ```")));
    // Every second one ends an example.
    let has_example = fences.step_by(2).any(|language| !OTHER_LANGUAGES.contains(&language.trim()));
    (has_test, has_example)
}

#[test]
fn no_target_with_tests_is_left_out() {
    let metadata = MetadataCommand::new().no_deps().exec().expect("the workspace");
    let mut left_out = 0;
    for package in &metadata.packages {
        let folder = package.manifest_path.parent().expect("a folder").join("src");
        let sources: Vec<_> = sources(folder.as_std_path());
        let texts = || sources.iter().map(|path| (path, fs::read_to_string(path).expect("a source")));
        for target in package.targets.iter().filter(|target| target.is_lib() || target.is_bin()) {
            let is_main = |path: &Path| path.ends_with("src/main.rs");
            // A program beside a library has its main file alone.
            let has_library = package.targets.iter().any(cargo_metadata::Target::is_lib);
            let is_of_target = |path: &Path| !has_library || is_main(path) == target.is_bin();
            left_out += usize::from(!target.test);
            for (path, text) in texts().filter(|(path, _)| is_of_target(path)) {
                let (has_test, has_example) = has_tests(&text);
                assert!(target.test || !has_test, "{} has tests, and {} leaves them out", path.display(), target.name);
                let are_examples_run = target.doctest || target.is_bin();
                assert!(are_examples_run || !has_example, "an example of {} is not run", path.display());
            }
        }
    }
    assert!(left_out > 0);
}
