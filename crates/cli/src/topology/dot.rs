//! The flow in Graphviz's DOT language.

use std::fmt::Write as _;

use super::flow::{Flow, Kind};

/// A directed graph from left to right.
pub(super) fn of(flow: &Flow) -> String {
    let mut text = "digraph millrace {\n    rankdir=LR;\n    node [fontname=\"sans-serif\"];\n".to_owned();
    // Writing to a string cannot fail.
    for (index, node) in flow.nodes.iter().enumerate() {
        let shape = match node.kind {
            Kind::Edge => "hexagon",
            Kind::Topic => "cylinder",
            Kind::DeadLetters => "cylinder, style=dashed",
            Kind::Group => "box",
        };
        let _ = writeln!(
            text,
            "    n{index} [label=\"{}\\n{}\", shape={shape}];",
            escaped(&node.name),
            escaped(&node.note)
        );
    }
    for arrow in &flow.arrows {
        let note = if arrow.note.is_empty() { String::new() } else { format!(" [label=\"{}\"]", escaped(&arrow.note)) };
        let _ = writeln!(text, "    n{} -> n{}{note};", arrow.from, arrow.to);
    }
    text + "}\n"
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::super::flow::tests::snapshot;
    use super::*;

    #[test]
    fn every_node_and_arrow_is_there() {
        let text = of(&Flow::of(&snapshot()));
        assert!(text.starts_with("digraph") && text.ends_with("}\n"), "{text}");
        assert!(text.contains(r#"[label="notifications\n6 partitions", shape=cylinder];"#), "{text}");
        assert_eq!(text.matches("->").count(), 9, "{text}");
    }

    #[test]
    fn a_name_cannot_end_its_label() {
        assert_eq!(escaped("a\"\\b\n"), "a\\\"\\\\b ");
    }
}
