//! Fallback chains: a destination's fallbacks and theirs, depth first, each once.

use super::destination::DestinationPlan;
use super::error::ConfigProblem;
use super::file::{index_of, unknown};

/// The chain of each destination: itself, then its fallbacks in order.
pub(super) fn chains(destinations: &[DestinationPlan]) -> Result<Vec<Vec<usize>>, ConfigProblem> {
    let fallbacks = destinations.iter().map(|destination| indexes(destination, destinations));
    let fallbacks = fallbacks.collect::<Result<Vec<_>, _>>()?;
    (0..destinations.len())
        .map(|first| {
            let mut chain = Vec::new();
            follow(first, &fallbacks, &mut Vec::new(), &mut chain).map_err(|path| cycle(&path, destinations))?;
            Ok(chain)
        })
        .collect()
}

fn indexes(destination: &DestinationPlan, destinations: &[DestinationPlan]) -> Result<Vec<usize>, ConfigProblem> {
    let key = || format!("destinations.{}.fallback", destination.name);
    destination
        .fallback
        .iter()
        .map(|name| index_of(name, destinations).ok_or_else(|| unknown(key(), name, destinations)))
        .collect()
}

/// Appends a destination and its fallbacks to the chain, depth first. The error is the cycle.
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

fn cycle(path: &[usize], destinations: &[DestinationPlan]) -> ConfigProblem {
    let names: Vec<_> = path.iter().map(|&index| destinations[index].name.as_str()).collect();
    let key = format!("destinations.{}.fallback", names.first().copied().unwrap_or_default());
    ConfigProblem::at(key, format!("is a cycle: {}", names.join(" -> ")))
}
