//! The domain is pure: none of its dependencies does I/O.

use std::collections::{BTreeSet, HashMap};

use cargo_metadata::{CargoOpt, DependencyKind, MetadataCommand, PackageId};

/// Crates, and families of crates by prefix, that do I/O or are a runtime.
const FORBIDDEN: &[&str] = &[
    "tokio",
    "async-std",
    "smol",
    "rdkafka",
    "aws-",
    "aws_",
    "lambda",
    "hyper",
    "http",
    "reqwest",
    "axum",
    "tower",
    "sqlx",
    "mio",
];

#[test]
fn the_domain_depends_on_no_runtime_or_io_crate() {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .exec()
        .expect("cargo describes this workspace");
    let resolve = metadata.resolve.as_ref().expect("the dependencies are resolved");
    let nodes: HashMap<&PackageId, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let domain =
        metadata.packages.iter().find(|package| package.name.as_str() == "millrace-domain").expect("the domain");
    let mut seen = BTreeSet::new();
    let mut open = vec![&domain.id];
    while let Some(id) = open.pop() {
        let shipped =
            |kinds: &[cargo_metadata::DepKindInfo]| kinds.iter().any(|info| info.kind == DependencyKind::Normal);
        for dependency in nodes[id].deps.iter().filter(|dependency| shipped(&dependency.dep_kinds)) {
            if seen.insert(&dependency.pkg) {
                open.push(&dependency.pkg);
            }
        }
    }
    let names: Vec<_> = seen.iter().map(|id| metadata[id].name.as_str()).collect();
    assert!(names.contains(&"serde_json"), "the walk over the dependencies finds them: {names:?}");
    for name in names {
        let forbidden = FORBIDDEN.iter().find(|&&prefix| name == prefix || (name.starts_with(prefix)));
        assert!(forbidden.is_none(), "the domain depends on {name}");
    }
}
