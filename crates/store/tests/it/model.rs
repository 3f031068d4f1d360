//! Random histories of a partition against a model that a few lines can hold.

use std::collections::BTreeMap;

use millrace_store::{EventRow, Refusal, Store, StoreError};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Handle;

use crate::fixture::{Fixture, batch, next_offset, on_both, row, stored, write};

on_both! {
    any_history_leaves_one_row_an_id_and_the_offset_of_the_last_commit
}

/// One attempt to write: some rows, each an id and a payload, by a writer that is up to date or not.
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

async fn any_history_leaves_one_row_an_id_and_the_offset_of_the_last_commit(stage: Fixture) {
    let runtime = Handle::current();
    let play = move || {
        let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
        let case = std::cell::Cell::new(0);
        runner.run(&steps(), |steps| {
            case.set(case.get() + 1);
            // Ids and topics of its own let all histories use one database.
            runtime.block_on(play(&stage.store, &format!("case-{}", case.get()), &steps));
            Ok(())
        })
    };
    tokio::task::spawn_blocking(play).await.unwrap().unwrap();
}

async fn play(store: &Store, case: &str, steps: &[Step]) {
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
    assert_eq!(next_offset(store).await, None, "nobody else's offset moved");
}
