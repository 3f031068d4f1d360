//! The flow as an SVG image.

use std::fmt::Write as _;

use super::flow::{Arrow, Flow, Kind};
use super::layout::{Position, positions};
use crate::xml_text::escaped;

const NODE_WIDTH: u32 = 190;
const NODE_HEIGHT: u32 = 46;
const COLUMN: u32 = 270;
const ROW: u32 = 66;
const MARGIN: u32 = 24;

const STYLE: &str = "text{font-family:system-ui,sans-serif;font-size:13px;fill:#1f2933}.note{font-size:11px;fill:#616e7c}\
.node{stroke:#3e4c59;stroke-width:1.2}.edge{fill:#dbeafe}.topic{fill:#fef3c7}.letters{fill:#fee2e2}.group{fill:#dcfce7}\
.arrow{fill:none;stroke:#7b8794;stroke-width:1.4;marker-end:url(#head)}";

/// An SVG document.
pub(super) fn of(flow: &Flow) -> String {
    let positions = positions(flow);
    let columns = positions.iter().map(|position| position.column + 1).max().unwrap_or(1);
    let rows = positions.iter().map(|position| position.row + 1).max().unwrap_or(1);
    // Backward arrows run below the nodes.
    let width = 2 * MARGIN + (columns - 1) * COLUMN + NODE_WIDTH;
    let bottom = MARGIN + rows * ROW;
    let height = bottom + MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <style>{STYLE}</style>\n\
         <defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#7b8794\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    for arrow in &flow.arrows {
        write_arrow(&mut svg, arrow, &positions, bottom);
    }
    for (node, &position) in flow.nodes.iter().zip(&positions) {
        let (x, y) = corner(position);
        let (class, radius) = match node.kind {
            Kind::Edge => ("edge", NODE_HEIGHT / 2),
            Kind::Topic => ("topic", 4),
            Kind::DeadLetters => ("letters", 4),
            Kind::Group => ("group", 12),
        };
        let middle = x + NODE_WIDTH / 2;
        // Writing to a string cannot fail.
        let _ = writeln!(
            svg,
            "<rect class=\"node {class}\" x=\"{x}\" y=\"{y}\" width=\"{NODE_WIDTH}\" height=\"{NODE_HEIGHT}\" rx=\"{radius}\"/>\
             <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
             <text class=\"note\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            y + 20,
            escaped(&node.name),
            y + 36,
            escaped(&node.note),
        );
    }
    svg + "</svg>\n"
}

/// The upper left corner of a node.
fn corner(position: Position) -> (u32, u32) {
    (MARGIN + position.column * COLUMN, MARGIN + position.row * ROW)
}

fn write_arrow(svg: &mut String, arrow: &Arrow, positions: &[Position], bottom: u32) {
    let (from, to) = (positions[arrow.from], positions[arrow.to]);
    let ((from_x, from_y), (to_x, to_y)) = (corner(from), corner(to));
    let (start_x, start_y) = (from_x + NODE_WIDTH, from_y + NODE_HEIGHT / 2);
    let end_y = to_y + NODE_HEIGHT / 2;
    if to.column > from.column {
        let bend = (to_x - start_x) / 2;
        let _ = writeln!(
            svg,
            "<path class=\"arrow\" d=\"M{start_x} {start_y}C{} {start_y} {} {end_y} {to_x} {end_y}\"/>",
            start_x + bend,
            to_x - bend,
        );
    } else {
        let (right, left) = (start_x + MARGIN / 2, to_x - MARGIN / 2);
        let _ = writeln!(
            svg,
            "<path class=\"arrow\" stroke-dasharray=\"5 4\" d=\"M{start_x} {start_y}H{right}V{bottom}H{left}V{end_y}H{to_x}\"/>",
        );
    }
    if !arrow.note.is_empty() {
        let (x, y) = (u32::midpoint(start_x, to_x), u32::midpoint(start_y, end_y) - 6);
        let note = escaped(&arrow.note);
        let _ = writeln!(svg, "<text class=\"note\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{note}</text>");
    }
}

#[cfg(test)]
mod tests {
    use super::super::flow::tests::snapshot;
    use super::*;

    #[test]
    fn the_picture_has_every_node_and_arrow() {
        let flow = Flow::of(&snapshot());
        let svg = of(&flow);
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
        assert_eq!(svg.matches("class=\"node ").count(), flow.nodes.len());
        assert_eq!(svg.matches("class=\"arrow\"").count(), flow.arrows.len());
        for text in [">notifications<", ">6 partitions<", ">lag 1<", ">millrace-notifier<", ">1 member<"] {
            assert!(svg.contains(text), "no {text} in {svg}");
        }
    }
}
