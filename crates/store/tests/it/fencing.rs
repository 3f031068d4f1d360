//! Fencing: of two owners of a partition one writes, the other writes nothing.

use millrace_domain::ErrorClass;
use millrace_store::{Store, StoreError};

use crate::fixture::{Fixture, batch, next_offset, on_both, row, stored, write};

on_both! {
    a_writer_with_an_old_offset_writes_nothing
    a_writer_that_expects_no_offset_is_fenced
    a_dropped_write_is_rolled_back
    exactly_one_concurrent_writer_wins
}

fn assert_superseded(result: Result<Vec<millrace_store::Refused>, StoreError>) {
    let error = result.unwrap_err();
    assert!(matches!(error, StoreError::Superseded { .. }), "{error}");
    assert_eq!(error.class(), ErrorClass::Transient);
}

async fn a_writer_with_an_old_offset_writes_nothing(Fixture { store, .. }: Fixture) {
    write(&store, batch(None, 5, &[row("a", "1", 1)])).await.unwrap();
    write(&store, batch(Some(5), 8, &[row("b", "2", 2)])).await.unwrap();
    assert_superseded(write(&store, batch(Some(5), 7, &[row("zombie", "3", 3)])).await);
    assert_eq!(stored(&store, ["a", "b", "zombie"]).await.len(), 2);
    assert_eq!(next_offset(&store).await, Some(8));
}

async fn a_writer_that_expects_no_offset_is_fenced(Fixture { store, .. }: Fixture) {
    write(&store, batch(None, 5, &[row("a", "1", 1)])).await.unwrap();
    let result = write(&store, batch(None, 5, &[row("zombie", "3", 3)])).await;
    assert!(result.as_ref().unwrap_err().to_string().contains("events/0"));
    assert_superseded(result);
    assert_superseded(write(&store, millrace_store::EventBatch { partition: 1, ..batch(Some(0), 5, &[]) }).await);
    assert_eq!(stored(&store, ["a", "zombie"]).await.len(), 1);
}

async fn a_dropped_write_is_rolled_back(Fixture { store, .. }: Fixture) {
    let pending = store.write_events(batch(None, 5, &[row("a", "1", 1)])).await.unwrap();
    assert_eq!(store.event("a").await.unwrap(), None, "not visible before the commit");
    drop(pending);
    assert_eq!(next_offset(&store).await, None);
    // The same partition and id: the locks are released as well.
    write(&store, batch(None, 5, &[row("a", "2", 2)])).await.unwrap();
    assert_eq!(stored(&store, ["a"]).await["a"], "2");
}

async fn exactly_one_concurrent_writer_wins(fixture: Fixture) {
    // Two stores stand for two processes.
    let stores = [fixture.store.clone(), Store::connect(fixture.url()).await.unwrap()];
    let mut expected = None;
    for next in [10, 20, 30] {
        let writers: Vec<_> = (0..16_u8)
            .map(|writer| {
                let store = stores[usize::from(writer % 2)].clone();
                tokio::spawn(async move {
                    let id = format!("{next}-{writer}");
                    let rows = [row(&id, "1", writer), row("shared", "1", 1)];
                    write(&store, batch(expected, next, &rows)).await
                })
            })
            .collect();
        let mut winners = 0;
        for writer in writers {
            match writer.await.unwrap() {
                Ok(refused) => {
                    assert_eq!(refused, []);
                    winners += 1;
                }
                superseded => assert_superseded(superseded),
            }
        }
        assert_eq!(winners, 1);
        let ids: Vec<_> = (0..16).map(|writer| format!("{next}-{writer}")).collect();
        assert_eq!(stored(&fixture.store, ids.iter().map(String::as_str)).await.len(), 1);
        expected = Some(next);
    }
}
