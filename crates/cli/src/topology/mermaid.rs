//! The flow in Mermaid's language, which Markdown viewers render.

use std::fmt::Write as _;

use super::flow::{Flow, Kind};

/// A flowchart from left to right.
pub(super) fn of(flow: &Flow) -> String {
    let mut text = "flowchart LR\n".to_owned();
    // Writing to a string cannot fail.
    for (index, node) in flow.nodes.iter().enumerate() {
        let (open, close) = match node.kind {
            Kind::Edge => ("{{", "}}"),
            Kind::Topic | Kind::DeadLetters => ("[(", ")]"),
            Kind::Group => ("[", "]"),
        };
        let _ = writeln!(text, "    n{index}{open}\"{}<br/>{}\"{close}", escaped(&node.name), escaped(&node.note));
    }
    for arrow in &flow.arrows {
        let note = if arrow.note.is_empty() { String::new() } else { format!("|{}|", escaped(&arrow.note)) };
        let _ = writeln!(text, "    n{} -->{note} n{}", arrow.from, arrow.to);
    }
    text
}

/// Mermaid writes special characters by name or number between `#` and `;`.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, character| {
        if character.is_alphanumeric() || matches!(character, ' ' | '-' | '_' | '.') {
            escaped.push(character);
        } else {
            let _ = write!(escaped, "#{};", u32::from(character));
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::super::flow::tests::snapshot;
    use super::*;

    #[test]
    fn every_node_and_arrow_is_there() {
        let text = of(&Flow::of(&snapshot()));
        assert!(text.starts_with("flowchart LR\n"), "{text}");
        assert!(text.contains("[(\"notifications<br/>6 partitions\")]"), "{text}");
        assert!(text.contains("-->|lag 1| "), "{text}");
        assert_eq!(text.matches("-->").count(), 9, "{text}");
    }

    #[test]
    fn a_name_cannot_end_its_label() {
        assert_eq!(escaped("a\"]b"), "a#34;#93;b");
    }
}
