use proptest::prelude::*;

use super::*;
use crate::{Kind, PriceBook, crossover, example};

fn prices() -> Prices {
    PriceBook::built_in().regions.remove("us-east-1").unwrap()
}

fn workload() -> Workload {
    Workload {
        events_per_second: 2_000.0,
        batch: 1,
        value_bytes: 1_024,
        kind: Kind::Event,
        kafka_days: 7,
        row_days: 30,
        lake_days: 365,
        function_ms: 10.0,
        has_function_metrics: true,
    }
}

fn dollars(estimate: &Estimate, stage: Stage, name: &str) -> f64 {
    estimate.items.iter().find(|item| item.stage == stage && item.name == name).unwrap().dollars
}

/// Computed by hand, with the prices of the file: 2,000 events a second are 5,256 million a month.
#[test]
fn the_production_example() {
    let bill = estimate(&prices(), &example("production").unwrap(), &workload()).unwrap();
    assert!((bill.million_events - 5_256.0).abs() < 1e-6);
    for (stage, name, expected) in [
        // 300 million at 1.00 and 4,956 million at 0.90
        (Stage::Edge, "API Gateway", 4_760.40),
        // 5,256 x 0.20
        (Stage::Edge, "function, requests", 1_051.20),
        // 5,256 million x 0.010 s x 0.25 GB x 0.0000133334
        (Stage::Edge, "function, time", 175.20),
        // 5,256 million x 546 bytes = 2,672.68 GB x 0.50
        (Stage::Edge, "access log", 1_336.34),
        // 5,256 million x 1,100 bytes = 5,384.53 GB x 0.50
        (Stage::Edge, "function, log", 2_692.27),
        // (2,672.68 + 5,384.53 GB) x 12 months x 0.15 = 14,503.0 GB x 0.03
        (Stage::Edge, "logs, once kept for all their days", 435.09),
        // 3 x 730 x 0.204
        (Stage::Kafka, "brokers", 446.76),
        // 2,000 x 1,324 bytes x 604,800 s x 3 copies = 4,474.5 GB, at 60 % full more than the 6,000 that are allowed
        (Stage::Kafka, "storage", 600.0),
        // two ways x 5,256 million x 1,324 bytes x 2/3 = 8,641.4 GB x 0.02
        (Stage::Kafka, "traffic between zones", 172.83),
        // 7,168 units of 2,048: 4 x 730 x 0.0816
        (Stage::Consumers, "instances on demand", 238.27),
        // 2,000 / 2,000 = 1 ACU, on two instances: 1,460 hours x 0.12
        (Stage::Database, "capacity", 175.20),
        // 2,000 x 2,592,000 s x 1,324 bytes = 6,392.2 GB x 0.10
        (Stage::Database, "storage", 639.22),
        // 5,256 million x 1,324 bytes x 1.3 / 4,096 = 2,208.6 million x 0.20
        (Stage::Database, "writes of storage", 441.73),
        // 3 x 730 x 0.045
        (Stage::Network, "NAT gateways", 98.55),
        // 9 x 3 x 730 x 0.01
        (Stage::Network, "interface endpoints", 197.10),
    ] {
        let found = dollars(&bill, stage, name);
        assert!((found - expected).abs() < 0.02, "{name}: {found}, by hand {expected}");
    }
    assert_eq!(bill.warnings, [""; 0]);
}

/// Nothing sent: what stands costs. The consumers keep the database awake.
#[test]
fn the_dev_example_at_rest() {
    let nothing = Workload { events_per_second: 0.0, ..workload() };
    let bill = estimate(&prices(), &example("dev").unwrap(), &nothing).unwrap();
    for (stage, expected) in [
        (Stage::Edge, 0.0),
        // 3 x 730 x 0.0456 and 30 GB x 0.10
        (Stage::Kafka, 99.864 + 3.0),
        // 730 x 0.0336 and 30 GB x 0.08
        (Stage::Consumers, 24.528 + 2.4),
        // 730 x 0.5 x 0.12
        (Stage::Database, 43.8),
        // 9 x 730 x 0.01
        (Stage::Network, 65.7),
        // 50 x 0.10, and 3.00 + 1.00 + 0.80
        (Stage::Operations, 5.0 + 4.8),
    ] {
        let found = bill.of(stage);
        assert!((found - expected).abs() < 0.01, "{stage:?}: {found}, by hand {expected}");
    }
    assert_eq!(bill.per_million(bill.dollars()), None);
}

/// Its two tasks of 512 units fit beside the consumers' 7,168 on four instances, and not beside 7,680.
#[test]
fn an_edge_on_the_instances_costs_what_it_needs_more() {
    let balanced = Installation { edge: Edge::LoadBalancer, ..example("production").unwrap() };
    let more = |installation: &Installation, events_per_second| {
        let bill = estimate(&prices(), installation, &Workload { events_per_second, ..workload() }).unwrap();
        bill.items.iter().find(|item| item.name == "more instances").unwrap().quantity
    };
    assert_eq!(more(&balanced, 2_000.0).to_string(), "0");
    assert_eq!(more(&Installation { task_cpu: 7_680, ..balanced.clone() }, 2_000.0).to_string(), "1");
    // 50,000 x 50 us = 2.5 processors of the consumers, and 50,000 x 123 us = 6.15 of the edge
    assert_eq!(more(&balanced, 50_000.0).to_string(), "5");
}

#[test]
fn what_does_not_fit_is_a_warning_and_a_type_without_price_an_error() {
    let production = example("production").unwrap();
    let bill = estimate(&prices(), &production, &Workload { events_per_second: 100_000.0, ..workload() }).unwrap();
    assert!(bill.warnings.iter().any(|warning| warning.contains("kafka.storage_max_gib")), "{:?}", bill.warnings);
    assert!(bill.warnings.iter().any(|warning| warning.contains("database.max_capacity")), "{:?}", bill.warnings);
    assert!(bill.warnings.iter().any(|warning| warning.contains("api.throttle")), "{:?}", bill.warnings);
    let nearly = estimate(&prices(), &production, &Workload { events_per_second: 2_300.0, ..workload() }).unwrap();
    assert!(nearly.warnings.iter().any(|warning| warning.contains("85 % raise an alarm")), "{:?}", nearly.warnings);

    let unknown = Installation { broker_type: "kafka.z9.tiny".to_owned(), ..production };
    let error = estimate(&prices(), &unknown, &workload()).unwrap_err().to_string();
    assert!(error.contains("kafka.z9.tiny") && error.contains("kafka.m7g.large"), "{error}");
}

/// An order is a record, read by payments, and a payment is one more, read twice: five transfers of 1,324 bytes, of which two of
/// three are between zones. 5,256 million x 5 x 1,324 x 2/3 = 21,603.5 GB x 0.02
#[test]
fn a_payment_is_read_by_two_consumers() {
    let orders = Workload { kind: Kind::Order, ..workload() };
    let bill = estimate(&prices(), &example("production").unwrap(), &orders).unwrap();
    let found = dollars(&bill, Stage::Kafka, "traffic between zones");
    assert!((found - 432.07).abs() < 0.02, "{found}");
    let many = Workload { events_per_second: 300_000.0, ..orders };
    let bill = estimate(&prices(), &example("production").unwrap(), &many).unwrap();
    assert!(bill.warnings.iter().any(|warning| warning.contains("instances.max (12)")), "{:?}", bill.warnings);
}

/// Computed by hand: 1,000 lines of 500 bytes a second, 2,628 million a month, each of 630 bytes in the lake.
#[test]
fn log_records_in_the_lake() {
    let logs = Workload { events_per_second: 1_000.0, value_bytes: 500, kind: Kind::Log, batch: 500, ..workload() };
    let bill = estimate(&prices(), &example("production").unwrap(), &logs).unwrap();
    for (name, expected) in [
        // 2,628 million x 630 bytes = 1,541.93 GB x 0.029
        ("Firehose", 44.72),
        // 1,000 x 86,400 x 630 bytes = 50.694 GB a day, x 90 x 0.17 = 775.6 GB x 0.023
        ("raw objects, of 90 days", 17.84),
        // 50.694 x 365 x 0.15 = 2,775.5 GB x 0.023
        ("rows, once kept for all their days", 63.84),
        // 43,800 objects (of 37.8 MB each) x (5 x 0.000005 + 9 x 0.0000004)
        ("requests to the bucket", 1.25),
        // 43,800 x 6 and 1.971 million looks, x 0.40 a million
        ("queues", 0.89),
        // 1,655.64 GB of bytes x (4 / 176 MB + 6 / 131 MB) x 1.769 = 200,708 and 10,950 GB-seconds, x 0.0000133334
        ("functions, time", 2.82),
    ] {
        let found = dollars(&bill, Stage::Lake, name);
        assert!((found - expected).abs() < 0.01, "{name}: {found}, by hand {expected}");
    }
    let events = Workload { kind: Kind::Event, ..logs };
    let bill = estimate(&prices(), &example("production").unwrap(), &events).unwrap();
    assert!(bill.items.iter().all(|item| item.stage != Stage::Lake));
}

#[test]
fn a_load_balancer_is_cheaper_from_the_crossover_on() {
    let (prices, production) = (prices(), example("production").unwrap());
    let rate = crossover(&prices, &production, &workload()).unwrap().unwrap();
    let edge = |edge, events_per_second| {
        let bill = estimate(
            &prices,
            &Installation { edge, ..production.clone() },
            &Workload { events_per_second, ..workload() },
        );
        bill.unwrap().of(Stage::Edge)
    };
    assert!(edge(Edge::LoadBalancer, rate * 1.1) < edge(Edge::ApiGateway, rate * 1.1));
    assert!(edge(Edge::LoadBalancer, rate * 0.9) > edge(Edge::ApiGateway, rate * 0.9));
}

proptest! {
    #[test]
    fn more_events_cost_more_and_larger_batches_less(
        rate in 1.0..50_000.0_f64,
        more in 1.01..4.0_f64,
        batch in 1..500_u32,
        value_bytes in 1..8_192_u32,
    ) {
        let (prices, production) = (prices(), example("production").unwrap());
        let workload = Workload { events_per_second: rate, batch, value_bytes, ..workload() };
        let total = |workload: Workload| estimate(&prices, &production, &workload).unwrap().dollars();
        let as_it_is = total(workload);
        let faster = total(Workload { events_per_second: rate * more, ..workload });
        prop_assert!(faster > as_it_is);
        // Of 512 KiB and more, requests are billed by their size.
        let in_larger_batches = total(Workload { batch: batch * 2, ..workload });
        prop_assert!(in_larger_batches <= as_it_is * 1.0001);
    }
}
