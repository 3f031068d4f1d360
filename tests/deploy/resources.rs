//! The list of resource types: which emulator has each, and what is asserted of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::terraform::State;

const LISTED: &str = include_str!("../aws/resources.json");

/// Fails where a type of `infra/` is not in the list, the list has one too many, or one that it says is applied was not.
pub(crate) fn all_are_listed(state: &State) {
    let listed: Map<String, Value> = serde_json::from_str(LISTED).unwrap();
    let applied: BTreeSet<&str> =
        state.resources().into_iter().filter_map(|resource| resource["type"].as_str()).collect();
    let mut declared = BTreeSet::new();
    declared_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra"), &mut declared);

    let names: BTreeSet<String> = listed.keys().cloned().collect();
    assert_eq!(declared, names, "the types of infra/ (left) and of tests/aws/resources.json (right)");
    for (type_, entry) in &listed {
        let says_applied = entry["applied"].is_string();
        assert_eq!(applied.contains(&**type_), says_applied, "{type_}: what resources.json says of it: {entry}");
        assert!(entry["asserted"].is_string() && (says_applied || entry["why_not"].is_string()), "{type_}: {entry}");
    }
}

fn declared_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            declared_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "tf") {
            let text = fs::read_to_string(&path).unwrap();
            let types = text.lines().filter_map(|line| line.strip_prefix("resource \"")?.split('"').next());
            found.extend(types.map(str::to_owned));
        }
    }
}
