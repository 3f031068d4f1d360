//! What Terraform makes.

use std::collections::BTreeMap;

use serde::Deserialize;

/// An installation of `infra/`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Installation {
    /// What answers HTTPS.
    pub edge: Edge,
    /// Requests a second that API Gateway lets pass.
    pub throttle_rate: u32,
    /// The function's memory.
    pub function_memory_mib: u32,
    /// MSK's brokers, and copies of each record are as many as three.
    pub brokers: u32,
    /// Their type.
    pub broker_type: String,
    /// Each broker's storage at first.
    pub storage_gib: u32,
    /// And at most.
    pub storage_max_gib: u32,
    /// EC2 instances for the consumers, at least.
    pub instances: u32,
    /// And at most.
    pub instances_max: u32,
    /// Processor units that the consumers' least tasks reserve; an instance has 2,048.
    pub task_cpu: u32,
    /// And those of the edge, behind a load balancer.
    pub edge_task_cpu: u32,
    /// Their type.
    pub instance_type: String,
    /// Each instance's disk.
    pub disk_gib: u32,
    /// Aurora's least capacity of an instance, in ACU. With zero it would pause, but consumers that run keep it awake.
    pub database_min_capacity: f64,
    /// And its most.
    pub database_max_capacity: f64,
    /// Aurora's instances.
    pub database_instances: u32,
    /// NAT gateways.
    pub nat_gateways: u32,
    /// Interface endpoints.
    pub interface_endpoints: u32,
    /// In how many zones each of them is.
    pub endpoint_zones: u32,
    /// Days for which logs are kept.
    pub log_days: u32,
}

/// What answers HTTPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edge {
    /// API Gateway and the function.
    ApiGateway,
    /// An Application Load Balancer, and `millrace serve` on the consumers' instances.
    LoadBalancer,
}

/// The installations of `infra/examples`, by name.
///
/// # Panics
/// Never: a test reads the file.
#[must_use]
pub fn examples() -> BTreeMap<String, Installation> {
    serde_json::from_str(include_str!("../installations.json")).expect("a test reads the file")
}

/// One of them.
#[must_use]
pub fn example(name: &str) -> Option<Installation> {
    examples().remove(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each example sets, found in its Terraform. By default event-store and notifier have 512 processor units, payments,
    /// login-insights and log-shipper 256, and each one task; the edge has two tasks of 512.
    #[test]
    fn they_are_what_terraform_makes() {
        let text = |name: &str| match name {
            "dev" => include_str!("../../../infra/examples/dev/main.tf"),
            _ => include_str!("../../../infra/examples/production/main.tf"),
        };
        for (name, made) in examples() {
            let Installation { broker_type, storage_gib, storage_max_gib, instances, instance_type, .. } = &made;
            let Installation { instances_max, throttle_rate, .. } = &made;
            let Installation { database_min_capacity, database_max_capacity, database_instances, .. } = &made;
            for setting in [
                format!(
                    r#"{{ instance_type = "{broker_type}", storage_gib = {storage_gib}, storage_max_gib = {storage_max_gib} }}"#
                ),
                format!(
                    "{{ min_capacity = {database_min_capacity}, max_capacity = {database_max_capacity}, instances = {database_instances},"
                ),
                format!(r#"instances = {{ types = ["{instance_type}","#),
                format!("min = {instances}, max = {instances_max},"),
                // dev has the default of `api.throttle`.
                match name.as_str() {
                    "dev" => "api       = { reserved_concurrency".to_owned(),
                    _ => format!("throttle             = {{ rate = {throttle_rate},"),
                },
                // What `task_cpu` is the sum of: cpu x min, beside the defaults of consumers.tf.
                match name.as_str() {
                    "dev" => "{ max = 1 }".to_owned(),
                    _ => "notifier       = { cpu = 1024, memory = 1536, min = 3, max = 12 }\n    payments       = { min = 2, max = 12 }".to_owned(),
                },
            ] {
                assert!(text(&name).contains(&setting), "infra/examples/{name}/main.tf has no {setting}");
            }
        }
    }
}
