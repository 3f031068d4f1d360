//! Layout of the flow: columns from left to right, by the number of arrows that lead to a node.

use std::collections::VecDeque;

use super::flow::{Flow, Kind};

/// The position of a node: its column, and its row within that column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) column: u32,
    pub(super) row: u32,
}

/// The positions of the nodes, in the order of [`Flow::nodes`].
///
/// Rows follow the rows of a node's predecessors, so that arrows rarely cross.
pub(super) fn positions(flow: &Flow) -> Vec<Position> {
    let columns = columns(flow);
    let mut rows = vec![0; flow.nodes.len()];
    for column in 0..=columns.iter().copied().max().unwrap_or(0) {
        let mut nodes: Vec<usize> = (0..flow.nodes.len()).filter(|&node| columns[node] == column).collect();
        nodes.sort_by_key(|&node| {
            let before = flow.arrows.iter().filter(|arrow| arrow.to == node && columns[arrow.from] < column);
            (before.map(|arrow| rows[arrow.from]).min().unwrap_or(u32::MAX), node)
        });
        for (row, node) in (0..).zip(nodes) {
            rows[node] = row;
        }
    }
    columns.into_iter().zip(rows).map(|(column, row)| Position { column, row }).collect()
}

/// The column of each node: the fewest arrows from the edge, or from a node without predecessors (breadth first).
fn columns(flow: &Flow) -> Vec<u32> {
    let mut columns = vec![None; flow.nodes.len()];
    let begins = |node: usize| flow.arrows.iter().all(|arrow| arrow.to != node);
    let mut next: VecDeque<(usize, u32)> = VecDeque::new();
    // Sources further to the left come first.
    for (column, kinds) in [&[Kind::Edge][..], &[Kind::Topic], &[Kind::Group], &[Kind::DeadLetters]].iter().enumerate()
    {
        let column = u32::try_from(column).unwrap_or(0);
        let first = (0..flow.nodes.len()).filter(|&node| kinds.contains(&flow.nodes[node].kind) && begins(node));
        next.extend(first.map(|node| (node, column)));
    }
    while let Some((node, column)) = next.pop_front() {
        if columns[node].is_none_or(|known| column < known) {
            columns[node] = Some(column);
            let after = flow.arrows.iter().filter(|arrow| arrow.from == node);
            next.extend(after.map(|arrow| (arrow.to, column + 1)));
        }
    }
    // Nodes reachable only through a cycle are placed with the topics.
    columns.into_iter().map(|column| column.unwrap_or(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::flow::tests::snapshot;
    use super::*;

    #[test]
    fn the_flow_goes_right_and_no_two_nodes_share_a_position() {
        let flow = Flow::of(&snapshot());
        let positions = positions(&flow);
        let column = |name: &str| positions[flow.nodes.iter().position(|node| node.name == name).unwrap()].column;
        let names = ["edge", "notifications", "millrace-notifier", "notifications.dlq", "millrace-replay"];
        assert_eq!(names.map(column), [0, 1, 2, 3, 4]);
        assert_eq!(column("metrics"), 1);
        for (index, position) in positions.iter().enumerate() {
            assert!(!positions[..index].contains(position), "{position:?}");
        }
    }
}
