//! A second plan changes nothing, but for what the emulators forget.

use std::collections::BTreeSet;

use serde_json::Value;

/// Resource types whose attributes an emulator does not give back as they were set.
const KNOWN: &str = include_str!("../aws/known_changes.txt");

/// Fails where the plan has a change that is not in the list, or the list has one that the plan has not.
pub(crate) fn has_only_known_changes(plan: &Value) {
    let changes = plan["resource_changes"].as_array().unwrap().iter();
    let found: BTreeSet<String> = changes.flat_map(changes_of).collect();
    let known: BTreeSet<String> =
        KNOWN.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect();
    let new: Vec<_> = found.difference(&known).collect();
    assert!(new.is_empty(), "the second plan has changes that are not in tests/aws/known_changes.txt: {new:#?}");
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(gone.is_empty(), "tests/aws/known_changes.txt has changes that the second plan has not: {gone:#?}");
}

/// `TYPE ACTION ATTRIBUTE` for each attribute that would change.
fn changes_of(resource: &Value) -> Vec<String> {
    let change = &resource["change"];
    let actions: Vec<_> = change["actions"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    if actions == ["no-op"] || actions == ["read"] {
        return Vec::new();
    }
    let (action, type_) = (actions.join("+"), resource["type"].as_str().unwrap());
    let (before, after) = (&change["before"], &change["after"]);
    let names = after.as_object().map(|after| after.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    let differs = |name: &String| before[name.as_str()] != after[name.as_str()];
    names.into_iter().filter(differs).map(|name| format!("{type_} {action} {name}")).collect()
}
