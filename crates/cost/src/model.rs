//! The model: quantities from a workload, and what each of them costs.

use thiserror::Error;

use crate::{Edge, Estimate, Installation, Item, Kind, Prices, Stage, Workload};

pub(crate) mod lake;

const HOURS: f64 = 730.0;
const SECONDS: f64 = HOURS * 3_600.0;
pub(crate) const GIB: f64 = 1_073_741_824.0;
const DAY: f64 = 86_400.0;

/// Key, headers and framing of a record: the lengths of Millrace's own headers and of an id as key.
const RECORD_OVERHEAD: f64 = 300.0;

/// Columns, tuple header and index entries of a row beside the value.
const ROW_OVERHEAD: f64 = 300.0;

/// What PostgreSQL logs for a byte of a row: its index entries, and full pages after checkpoints (which Aurora does not write).
const LOGGED_PER_BYTE: f64 = 1.3;

/// What Aurora counts as one write of storage.
const IO_BYTES: f64 = 4_096.0;

/// Rows a second that one ACU takes: a fortieth of what two processors do beside the event store in docs/benchmarks.md.
const ROWS_PER_UNIT: f64 = 2_000.0;

/// Aurora's least capacity of an instance that does not pause: consumers keep it awake.
const LEAST_UNITS: f64 = 0.5;

/// Processor time of a request and of an event, in seconds: four times that of `/send-notification` and of a batch of 100 in
/// docs/benchmarks.md, as TLS, JSON of other shapes and a slower processor may take.
const REQUEST_CPU: f64 = 108e-6;
const EVENT_CPU: f64 = 15e-6;

/// Processor time of an event in a consumer, in seconds: four times the dearest's there.
const CONSUMER_CPU: f64 = 50e-6;

/// Each instance has two processors, and half of them is left free.
const USABLE_PROCESSORS: f64 = 1.0;

/// Processor units that an instance can reserve for tasks.
const INSTANCE_UNITS: f64 = 2_048.0;

/// What CloudWatch Logs keeps of a byte: compressed, as its price page reckons.
const KEPT_LOGS: f64 = 0.15;

/// The days of a month, as 730 hours are.
const MONTH_DAYS: f64 = HOURS / 24.0;

/// Bytes of API Gateway's access log for a request, as modules/api has it.
const ACCESS_LOG: f64 = 520.0;

/// Bytes of Lambda's own lines for a request: START, END and REPORT.
const FUNCTION_LOG: f64 = 270.0;

/// Bytes of the two lines of metrics that the function writes for a request.
const FUNCTION_METRICS: f64 = 700.0;

/// What CloudWatch counts for each log line beside its text.
const LINE_OVERHEAD: f64 = 26.0;

/// API Gateway counts a request for each 512 KiB.
const METERED_REQUEST: f64 = 524_288.0;

/// HTTP's own bytes of a request and its answer.
const HTTP_OVERHEAD: f64 = 800.0;

/// A broker's storage grows when it is this full (modules/kafka).
const STORAGE_TARGET: f64 = 0.6;

/// How full a broker's storage raises the alarm `kafka-disk`.
const FULL: f64 = 0.85;

/// Alarms that infra/ makes: about fourteen kinds, some for each consumer or broker.
const ALARMS: f64 = 50.0;

/// Why there is no estimate.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CostError {
    /// The region's prices lack a type.
    #[error("no price for {kind} of the type {name}: there are {}", known.join(", "))]
    UnknownType {
        /// What it is a type of.
        kind: &'static str,
        /// The type.
        name: String,
        /// Those with a price.
        known: Vec<String>,
    },
}

/// A month of an installation with this workload.
///
/// # Errors
/// A broker's or an instance's type has no price.
pub fn estimate(prices: &Prices, installation: &Installation, workload: &Workload) -> Result<Estimate, CostError> {
    let events = workload.events_per_second * SECONDS;
    let mut bill = Bill { items: Vec::new(), warnings: Vec::new() };
    edge(&mut bill, prices, installation, workload, events)?;
    kafka(&mut bill, prices, installation, workload, events)?;
    consumers(&mut bill, prices, installation, workload)?;
    database(&mut bill, prices, installation, workload, events);
    if workload.kind == Kind::Log {
        lake::add(&mut bill, prices, workload, events);
    }
    network(&mut bill, prices, installation);
    operations(&mut bill, prices);
    Ok(Estimate { items: bill.items, million_events: events / 1e6, warnings: bill.warnings })
}

struct Bill {
    items: Vec<Item>,
    warnings: Vec<String>,
}

impl Bill {
    fn add(&mut self, stage: Stage, name: &'static str, quantity: f64, unit: &'static str, dollars: f64) {
        self.items.push(Item { stage, name, quantity, unit, dollars });
    }
}

fn edge(
    bill: &mut Bill,
    prices: &Prices,
    installation: &Installation,
    workload: &Workload,
    events: f64,
) -> Result<(), CostError> {
    let requests = events / f64::from(workload.batch);
    let body = f64::from(workload.batch) * f64::from(workload.value_bytes);
    match installation.edge {
        Edge::ApiGateway => {
            let rate = workload.events_per_second / f64::from(workload.batch);
            let throttle = f64::from(installation.throttle_rate);
            if rate > throttle {
                bill.warnings.push(format!(
                    "{rate:.0} requests a second are more than api.throttle lets pass ({throttle:.0}): raise it"
                ));
            }
            let metered = requests * (body / METERED_REQUEST).ceil().max(1.0);
            bill.add(Stage::Edge, "API Gateway", metered / 1e6, "million requests", prices.http_api(metered));
            bill.add(
                Stage::Edge,
                "function, requests",
                requests / 1e6,
                "million",
                requests / 1e6 * prices.function_million_requests,
            );
            let memory = f64::from(installation.function_memory_mib) / 1_024.0;
            let gb_seconds = requests * (workload.function_ms / 1e3) * memory;
            bill.add(Stage::Edge, "function, time", gb_seconds, "GB-seconds", gb_seconds * prices.function_gb_second);
            let metrics = if workload.has_function_metrics { FUNCTION_METRICS + 2.0 * LINE_OVERHEAD } else { 0.0 };
            let logged = |bytes: f64| requests * bytes / GIB;
            let access = logged(ACCESS_LOG + LINE_OVERHEAD);
            bill.add(Stage::Edge, "access log", access, "GB", access * prices.logs_gb);
            let function = logged(FUNCTION_LOG + 3.0 * LINE_OVERHEAD + metrics);
            bill.add(Stage::Edge, "function, log", function, "GB", function * prices.logs_gb);
            let kept = (access + function) * f64::from(installation.log_days) / MONTH_DAYS * KEPT_LOGS;
            bill.add(Stage::Edge, "logs, once kept for all their days", kept, "GB", kept * prices.logs_kept_gb_month);
        }
        Edge::LoadBalancer => {
            bill.add(Stage::Edge, "load balancer", HOURS, "hours", HOURS * prices.load_balancer_hour);
            // One unit is a gigabyte an hour; connections are kept alive, so that their number asks for less.
            let units = requests * (body + HTTP_OVERHEAD) / GIB;
            bill.add(Stage::Edge, "its capacity units", units, "unit-hours", units * prices.load_balancer_unit_hour);
            let more = instances(installation, workload, true) - instances(installation, workload, false);
            let hour = price_of("instances", &prices.instance_hour, &installation.instance_type)?;
            let disks = f64::from(installation.disk_gib) * prices.disk_gb_month;
            bill.add(Stage::Edge, "more instances", more, "instances", more * (HOURS * hour + disks));
        }
    }
    Ok(())
}

fn kafka(
    bill: &mut Bill,
    prices: &Prices,
    installation: &Installation,
    workload: &Workload,
    events: f64,
) -> Result<(), CostError> {
    let brokers = f64::from(installation.brokers);
    let hour = price_of("brokers", &prices.broker_hour, &installation.broker_type)?;
    bill.add(Stage::Kafka, "brokers", brokers, "brokers", brokers * HOURS * hour);

    let record = f64::from(workload.value_bytes) + RECORD_OVERHEAD;
    let copies = brokers.min(3.0);
    let (written_records, read_records) = workload.kind.records();
    let written = workload.events_per_second * written_records * record;
    let kept = written * f64::from(workload.kafka_days) * DAY * copies / GIB;
    let least = f64::from(installation.storage_gib) * brokers;
    let most = f64::from(installation.storage_max_gib) * brokers;
    let storage = (kept / STORAGE_TARGET).clamp(least, most.max(least));
    if kept > most * FULL {
        bill.warnings.push(format!(
            "Kafka would hold {kept:.0} GB, and kafka.storage_max_gib allows {most:.0} on all brokers, of which {:.0} % raise an \
             alarm: keep records for fewer days, or raise it",
            FULL * 100.0
        ));
    }
    bill.add(Stage::Kafka, "storage", storage, "GB", storage * prices.broker_storage_gb_month);

    // Copies between brokers are free. A client is in another zone than a partition's leader two times of three.
    let apart = (brokers - 1.0).max(0.0) / brokers;
    let crossing = (written_records + read_records) * events * record * apart / GIB;
    bill.add(Stage::Kafka, "traffic between zones", crossing, "GB", crossing * prices.between_zones_gb);
    Ok(())
}

/// The instances that tasks need: for what they reserve, and for what they do.
fn instances(installation: &Installation, workload: &Workload, has_edge: bool) -> f64 {
    let rate = workload.events_per_second;
    let (_, read_records) = workload.kind.records();
    let mut reserved = f64::from(installation.task_cpu);
    let mut busy = rate * read_records * CONSUMER_CPU;
    if has_edge {
        reserved += f64::from(installation.edge_task_cpu);
        busy += rate / f64::from(workload.batch) * REQUEST_CPU + rate * EVENT_CPU;
    }
    let needed = (reserved / INSTANCE_UNITS).ceil().max((busy / USABLE_PROCESSORS).ceil());
    needed.max(f64::from(installation.instances))
}

fn consumers(
    bill: &mut Bill,
    prices: &Prices,
    installation: &Installation,
    workload: &Workload,
) -> Result<(), CostError> {
    let all = instances(installation, workload, installation.edge == Edge::LoadBalancer);
    let instances = instances(installation, workload, false);
    let most = f64::from(installation.instances_max);
    if all > most {
        bill.warnings.push(format!("{all:.0} instances are more than instances.max ({most:.0}): raise it"));
    }
    let hour = price_of("instances", &prices.instance_hour, &installation.instance_type)?;
    bill.add(Stage::Consumers, "instances on demand", instances, "instances", instances * HOURS * hour);
    let disks = instances * f64::from(installation.disk_gib);
    bill.add(Stage::Consumers, "disks", disks, "GB", disks * prices.disk_gb_month);
    Ok(())
}

fn database(bill: &mut Bill, prices: &Prices, installation: &Installation, workload: &Workload, events: f64) {
    let (rows, with_value) = workload.kind.rows();
    let row_bytes = rows * ROW_OVERHEAD + with_value * f64::from(workload.value_bytes);
    let wanted = workload.events_per_second * rows / ROWS_PER_UNIT;
    if wanted > installation.database_max_capacity {
        bill.warnings.push(format!(
            "the database would need about {wanted:.0} ACU, and database.max_capacity is {}: raise it",
            installation.database_max_capacity
        ));
    }
    let least = installation.database_min_capacity.max(LEAST_UNITS);
    let units = wanted.clamp(least, installation.database_max_capacity.max(least));
    let unit_hours = units * f64::from(installation.database_instances) * HOURS;
    bill.add(Stage::Database, "capacity", unit_hours, "ACU-hours", unit_hours * prices.database_unit_hour);
    let stored = workload.events_per_second * f64::from(workload.row_days) * DAY * row_bytes / GIB;
    bill.add(Stage::Database, "storage", stored, "GB", stored * prices.database_storage_gb_month);
    let ios = events * row_bytes * LOGGED_PER_BYTE / IO_BYTES / 1e6;
    bill.add(Stage::Database, "writes of storage", ios, "million", ios * prices.database_million_ios);
}

fn network(bill: &mut Bill, prices: &Prices, installation: &Installation) {
    let nat = f64::from(installation.nat_gateways) * HOURS;
    if nat > 0.0 {
        bill.add(Stage::Network, "NAT gateways", nat, "hours", nat * prices.nat_hour);
    }
    let endpoints = f64::from(installation.interface_endpoints * installation.endpoint_zones) * HOURS;
    bill.add(Stage::Network, "interface endpoints", endpoints, "hours", endpoints * prices.endpoint_hour);
}

fn operations(bill: &mut Bill, prices: &Prices) {
    bill.add(Stage::Operations, "alarms", ALARMS, "alarms", ALARMS * prices.alarm_month);
    bill.add(Stage::Operations, "dashboard", 1.0, "dashboard", prices.dashboard_month);
    bill.add(Stage::Operations, "keys", 1.0, "key", prices.key_month);
    bill.add(Stage::Operations, "secrets", 2.0, "secrets", 2.0 * prices.secret_month);
}

fn price_of(
    kind: &'static str,
    prices: &std::collections::BTreeMap<String, f64>,
    name: &str,
) -> Result<f64, CostError> {
    prices.get(name).copied().ok_or_else(|| CostError::UnknownType {
        kind,
        name: name.to_owned(),
        known: prices.keys().cloned().collect(),
    })
}

#[cfg(test)]
mod tests;
