//! The strict reader beside others, on events' bodies: each is read whole, and three of its members are looked at. Ours alone refuses a
//! name that is there twice, and keeps each value's own bytes; the others are limits of what reading costs.
#![allow(missing_docs)]

use std::hint::black_box;
use std::time::Instant;

use millrace_json::Document;
use serde_json::Value;
use simd_json::prelude::{ValueAsScalar as _, ValueObjectAccess as _};
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait};

const BODIES: usize = 20_000;

/// Runs of each reader, in turns; the least counts, as other tenants of the machine only add.
const RUNS: usize = 21;

fn main() {
    let bodies = [("an order, 180 bytes", orders()), ("a notification with nested data, 600 bytes", notifications())];
    println!("ns a body (MB/s), least of {RUNS} runs in turns");
    println!("| body | millrace-json | serde_json | sonic-rs | simd-json, with the copy that it needs |");
    println!("|---|---|---|---|---|");
    for (name, bodies) in bodies {
        let bytes: usize = bodies.iter().map(Vec::len).sum();
        let mut least = [f64::MAX; 4];
        for _ in 0..RUNS {
            for (least, read) in least.iter_mut().zip([ours, serde, sonic, simd]) {
                let begun = Instant::now();
                let found: usize = bodies.iter().map(|body| read(black_box(body))).sum();
                *least = least.min(begun.elapsed().as_secs_f64());
                assert_eq!(found, bodies.len() * 3, "each reader finds the members");
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let cells = least
            .map(|seconds| format!("{:.0} ({:.0})", seconds * 1e9 / bodies.len() as f64, bytes as f64 / seconds / 1e6));
        println!("| {name} | {} |", cells.join(" | "));
    }
}

fn orders() -> Vec<Vec<u8>> {
    let order = |number: usize| {
        format!(
            r#"{{"order_id":"o-{number:08}","user_id":"user-{}","amount":{}.{:02},"currency":"EUR","items":[{{"sku":"a-{}","count":{}}}],"note":"leave at the door","timestamp":"2026-11-30T12:00:00.{:03}Z"}}"#,
            number * 7_919 % 10_000,
            number % 900 + 10,
            number % 100,
            number % 321,
            number % 9 + 1,
            number % 1_000
        )
        .into_bytes()
    };
    (0..BODIES).map(order).collect()
}

fn notifications() -> Vec<Vec<u8>> {
    let notification = |number: usize| {
        let tags: Vec<String> =
            (0..12).map(|tag| format!(r#"{{"name":"tag-{tag}","value":{}}}"#, number * tag)).collect();
        format!(
            r#"{{"order_id":"o-{number:08}","user_id":"user-{}","currency":"EUR","data":{{"title":"Your order \"{number}\" is on its way","tags":[{}],"ok":true,"more":null}}}}"#,
            number * 7_919 % 10_000,
            tags.join(",")
        )
        .into_bytes()
    };
    (0..BODIES).map(notification).collect()
}

const NAMES: [&str; 3] = ["order_id", "user_id", "currency"];

fn ours(body: &[u8]) -> usize {
    let document = Document::parse(body).expect("JSON");
    NAMES.iter().filter(|name| document.get(name).and_then(millrace_json::Value::as_str).is_some()).count()
}

fn serde(body: &[u8]) -> usize {
    let value: Value = serde_json::from_slice(body).expect("JSON");
    NAMES.iter().filter(|name| value[**name].is_string()).count()
}

fn sonic(body: &[u8]) -> usize {
    let value: sonic_rs::Value = sonic_rs::from_slice(body).expect("JSON");
    let object = value.as_object().expect("an object");
    NAMES.iter().filter(|name| object.get(name).is_some_and(JsonValueTrait::is_str)).count()
}

fn simd(body: &[u8]) -> usize {
    let mut copy = body.to_vec();
    let value = simd_json::to_borrowed_value(&mut copy).expect("JSON");
    NAMES.iter().filter(|name| value.get(**name).and_then(|value| value.as_str()).is_some()).count()
}
