//! Where a load balancer becomes cheaper than API Gateway.

use crate::{CostError, Edge, Installation, Prices, Stage, Workload, estimate};

/// Events a second up to which it is looked for.
const MOST: f64 = 1e6;

/// The events a second from which on a load balancer and `millrace serve` cost less than API Gateway and the function, for a
/// workload that is otherwise this one; none where they never do, up to a million.
///
/// # Errors
/// As for [`estimate`].
pub fn crossover(prices: &Prices, installation: &Installation, workload: &Workload) -> Result<Option<f64>, CostError> {
    let edge = |edge: Edge, events_per_second: f64| {
        let installation = Installation { edge, ..installation.clone() };
        let workload = Workload { events_per_second, ..*workload };
        estimate(prices, &installation, &workload).map(|estimate| estimate.of(Stage::Edge))
    };
    let is_cheaper =
        |rate: f64| -> Result<bool, CostError> { Ok(edge(Edge::LoadBalancer, rate)? < edge(Edge::ApiGateway, rate)?) };
    if !is_cheaper(MOST)? {
        return Ok(None);
    }
    let (mut above, mut below) = (MOST, 0.0);
    // More exact than any of the assumptions.
    while above - below > 0.01 {
        let middle = f64::midpoint(above, below);
        if is_cheaper(middle)? {
            above = middle;
        } else {
            below = middle;
        }
    }
    Ok(Some(above))
}
