//! Who is tried after whom: fallbacks, and theirs, in order, and nobody twice.

use super::destination::DestinationPlan;
use super::error::ConfigProblem;
use super::file::{place, unknown};

/// For each destination, itself and its fallbacks in the order they are tried.
pub(super) fn chains(destinations: &[DestinationPlan]) -> Result<Vec<Vec<usize>>, ConfigProblem> {
    let fallbacks = destinations.iter().map(|destination| places(destination, destinations));
    let fallbacks = fallbacks.collect::<Result<Vec<_>, _>>()?;
    (0..destinations.len())
        .map(|first| {
            let mut chain = Vec::new();
            follow(first, &fallbacks, &mut Vec::new(), &mut chain).map_err(|path| loops(&path, destinations))?;
            Ok(chain)
        })
        .collect()
}

fn places(destination: &DestinationPlan, destinations: &[DestinationPlan]) -> Result<Vec<usize>, ConfigProblem> {
    let key = || format!("destinations.{}.fallback", destination.name);
    destination
        .fallback
        .iter()
        .map(|name| place(name, destinations).ok_or_else(|| unknown(key(), name, destinations)))
        .collect()
}

/// Depth first. The error is the path that leads back to where it has been.
fn follow(
    at: usize,
    fallbacks: &[Vec<usize>],
    path: &mut Vec<usize>,
    chain: &mut Vec<usize>,
) -> Result<(), Vec<usize>> {
    if let Some(start) = path.iter().position(|&before| before == at) {
        path.push(at);
        return Err(path.split_off(start));
    }
    if chain.contains(&at) {
        return Ok(());
    }
    chain.push(at);
    path.push(at);
    for &next in &fallbacks[at] {
        follow(next, fallbacks, path, chain)?;
    }
    path.pop();
    Ok(())
}

fn loops(path: &[usize], destinations: &[DestinationPlan]) -> ConfigProblem {
    let names: Vec<_> = path.iter().map(|&place| destinations[place].name.as_str()).collect();
    let key = format!("destinations.{}.fallback", names.first().copied().unwrap_or_default());
    ConfigProblem::at(key, format!("leads back to itself: {}", names.join(" -> ")))
}
