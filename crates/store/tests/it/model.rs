//! Random histories of a partition, compared with a model.

use std::collections::BTreeMap;

use millrace_store::{EventRow, Refusal, Store, StoreError};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Handle;

use crate::fixture::{Fixture, batch, next_offset, on_both, row, stored, write};

on_both! {
    /// One row an id, and the offset of the last commit.
    any_history_matches_the_model
}

/// One write: rows of an id and a payload, by a writer whose offset is current or old.
#[derive(Clone, Debug)]
struct Step {
    rows: Vec<(u8, u8)>,
    is_behind: bool,
    is_dropped: bool,
}

#[derive(Default)]
struct Model {
    rows: BTreeMap<String, String>,
    offset: Option<i64>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (vec((0..12_u8, 0..3_u8), 0..20), prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    vec(step.prop_map(|(rows, is_behind, is_dropped)| Step { rows, is_behind, is_dropped }), 1..12)
}

async fn any_history_matches_the_model(fixture: Fixture) {
    let runtime = Handle::current();
    let run_all = move || {
        let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
        let case = std::cell::Cell::new(0);
        runner.run(&steps(), |steps| {
            case.set(case.get() + 1);
            // Each history has its own ids and topic, so all share one database.
            runtime.block_on(run(&fixture.store, &format!("case-{}", case.get()), &steps));
            Ok(())
        })
    };
    tokio::task::spawn_blocking(run_all).await.unwrap().unwrap();
}

async fn run(store: &Store, case: &str, steps: &[Step]) {
    let mut model = Model::default();
    for step in steps {
        let owned: Vec<_> =
            step.rows.iter().map(|(id, payload)| (format!("{case}-{id}"), payload.to_string(), *payload)).collect();
        let rows: Vec<EventRow<'_>> = owned.iter().map(|(id, data, digest)| row(id, data, *digest)).collect();
        let next = model.offset.unwrap_or(0) + i64::try_from(rows.len()).unwrap() + 1;
        let expected = if step.is_behind { Some(model.offset.map_or(0, |offset| offset - 1)) } else { model.offset };
        let written = millrace_store::EventBatch { topic: case, ..batch(expected, next, &rows) };
        if step.is_behind {
            let superseded = write(store, written).await;
            assert!(matches!(superseded, Err(StoreError::Superseded { .. })), "{superseded:?}");
            continue;
        }
        if step.is_dropped {
            drop(store.write_events(written).await.unwrap());
            continue;
        }
        let refused = write(store, written).await.unwrap();
        let conflicts = owned.iter().enumerate().filter(|(_, (id, data, _))| {
            let kept = model.rows.entry(id.clone()).or_insert_with(|| data.clone());
            kept != data
        });
        let conflicts: Vec<_> = conflicts.map(|(row, _)| row).collect();
        assert_eq!(refused.iter().map(|refused| refused.row).collect::<Vec<_>>(), conflicts);
        assert!(refused.iter().all(|refused| refused.refusal == Refusal::IdempotencyConflict));
        model.offset = Some(next);
    }
    let ids: Vec<_> = (0..12).map(|id| format!("{case}-{id}")).collect();
    assert_eq!(stored(store, ids.iter().map(String::as_str)).await, model.rows);
    assert_eq!(store.next_offset(crate::fixture::CONSUMER, case, 0).await.unwrap(), model.offset);
    assert_eq!(next_offset(store).await, None, "no other offset moved");
}
