//! `docs/configuration.md`: what each command's `--help` says, kept in step with it.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::millrace::Millrace;

const FILE: &str = "../../docs/configuration.md";

/// Ends the part of the file that is written by hand; the test writes what follows.
const MARKER: &str = "<!-- From here on: written by the test, see above. -->\n";

/// Renews the file where it is set.
const RENEW: &str = "MILLRACE_RENEW_DOCS";

const COMMANDS: [&str; 15] = [
    "dev",
    "serve",
    "consume",
    "load",
    "order",
    "tail",
    "replay",
    "topology",
    "topics apply",
    "lake clean",
    "lake report",
    "lake backfill",
    "trace",
    "api-key",
    "cost",
];

/// Headings below which every command has something of its own. What several commands have below another one stands in
/// the file once.
const OWN: [&str; 4] = ["", "Arguments", "Options", "Examples"];

/// A heading of a help, and the entries below it.
struct Section {
    heading: String,
    entries: Vec<String>,
}

#[tokio::test]
async fn the_configuration_reference_is_what_help_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let text = std::fs::read_to_string(&path).unwrap();
    let (by_hand, written) = text.split_once(MARKER).expect("the file holds its marker");
    let reference = reference().await;
    if std::env::var_os(RENEW).is_some() {
        std::fs::write(&path, format!("{by_hand}{MARKER}{reference}")).unwrap();
        return;
    }
    let differing = reference.lines().zip(written.lines()).find(|(help, file)| help != file);
    assert!(
        reference == written,
        "docs/configuration.md differs from --help, first in {differing:?}; renew it: \
         {RENEW}=1 cargo test -p millrace --test it configuration"
    );
}

async fn reference() -> String {
    let mut helps = Vec::new();
    for command in COMMANDS {
        // Without a terminal and without COLUMNS, clap wraps at 100 columns.
        let help = Millrace::new(command.split(' ').chain(["--help"])).run().await.ok();
        helps.push((command, sections(&help)));
    }
    let shared = shared(&helps);

    let mut text = String::new();
    for (command, sections) in &helps {
        writeln!(text, "\n## millrace {command}\n\n```text").unwrap();
        for Section { heading, entries } in sections {
            let elsewhere = shared.iter().find(|(shared, _)| shared == heading).map(|(_, entries)| entries);
            if !heading.is_empty() {
                let note = if elsewhere.is_some() { " see below" } else { "" };
                writeln!(text, "\n{heading}:{note}").unwrap();
            }
            let own = entries.iter().filter(|entry| elsewhere.is_none_or(|entries| !entries.contains(entry)));
            text.extend(own.map(String::as_str));
        }
        text.push_str("```\n");
    }
    for (heading, entries) in shared {
        writeln!(text, "\n## {heading}\n\n```text").unwrap();
        text.extend(entries.into_iter().map(String::as_str));
        text.push_str("```\n");
    }
    text
}

/// Headings that several commands have, each with the entries that all of these have below it.
fn shared<'h>(helps: &'h [(&str, Vec<Section>)]) -> Vec<(&'h str, Vec<&'h String>)> {
    let mut shared: Vec<(&str, Vec<&String>)> = Vec::new();
    let mut count = HashMap::new();
    for Section { heading, entries } in helps.iter().flat_map(|(_, sections)| sections) {
        *count.entry(heading.as_str()).or_insert(0) += 1;
        match shared.iter_mut().find(|(known, _)| known == heading) {
            Some((_, common)) => common.retain(|entry| entries.contains(entry)),
            None => shared.push((heading, entries.iter().collect())),
        }
    }
    shared.retain(|(heading, common)| count[heading] > 1 && !common.is_empty() && !OWN.contains(heading));
    shared
}

/// Cuts a help at its headings, and what is below each at its flags.
fn sections(help: &str) -> Vec<Section> {
    let mut sections = vec![Section { heading: String::new(), entries: vec![String::new()] }];
    let mut blank = "";
    for line in help.lines().map(str::trim_end) {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        let section = sections.last_mut().unwrap();
        if line.is_empty() {
            blank = "\n";
            continue;
        }
        if let Some(heading) = line.strip_suffix(':').filter(|_| indent == 0 && !blank.is_empty()) {
            sections.push(Section { heading: heading.to_owned(), entries: vec![String::new()] });
        } else {
            let is_flag = text.starts_with('-') && indent <= 6;
            if is_flag && !section.entries.iter().all(String::is_empty) {
                section.entries.push(String::new());
            }
            writeln!(section.entries.last_mut().unwrap(), "{blank}{line}").unwrap();
        }
        blank = "";
    }
    sections
}
