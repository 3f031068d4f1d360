//! A process crashes at any point of its work and another one takes its place: nothing is lost, and nothing is doubled
//! where the mode says so. On a real Kafka, with real processes.
#![allow(clippy::unwrap_used)] // a test that cannot go on fails

mod batch;
mod crash;
mod keyed;
mod load;
mod process;
mod scene;
mod transactional;

use millrace_testkit::kafka;

use crate::crash::{Crash, after_each};
use crate::process::{Job, Mode};
use crate::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn keyed_records_are_all_processed_in_order_and_none_again_that_was_committed() {
    let Some(kafka) = kafka::shared().await else { return };
    let crashes = [
        Crash("record.taken", 60),
        Crash("record.processed", 60),
        Crash("letter.refused", 2),
        Crash("letter.acknowledged", 2),
        Crash("offsets.done", 1),
        Crash("offsets.done", 2),
        Crash("offsets.sent", 2),
        Crash("offsets.committed", 2),
    ];
    after_each(&crashes, async |crash| {
        let scene = Scene::set(kafka, Mode::Keyed).await;
        scene.crash(crash).await;
        let committed = scene.committed().await;
        scene.finish().await;
        keyed::assert_nothing_is_lost(&scene, &committed).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_stored_exactly_once_with_the_offset_after_them() {
    let Some(kafka) = kafka::shared().await else { return };
    let crashes = [
        Crash("batch.taken", 4),
        Crash("batch.written", 1),
        Crash("batch.written", 4),
        Crash("letter.refused", 2),
        Crash("letter.acknowledged", 2),
        Crash("batch.lettered", 4),
        Crash("batch.committed", 1),
        Crash("batch.committed", 4),
        Crash("offsets.done", 2),
        Crash("offsets.sent", 2),
        Crash("offsets.committed", 2),
    ];
    after_each(&crashes, async |crash| {
        let scene = Scene::set(kafka, Mode::Batch).await;
        scene.crash(crash).await;
        batch::assert_rows_and_offsets_are_of_one_piece(&scene).await;
        scene.finish().await;
        batch::assert_rows_and_offsets_are_of_one_piece(&scene).await;
        batch::assert_all_is_stored(&scene).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_copy_records_and_write_letters_exactly_once() {
    let Some(kafka) = kafka::shared().await else { return };
    let crashes = [
        Crash("record.taken", 60),
        Crash("record.processed", 60),
        Crash("transaction.taken", 1),
        Crash("transaction.taken", 3),
        Crash("transaction.produced", 1),
        Crash("transaction.produced", 3),
        Crash("transaction.complete", 3),
        Crash("transaction.committed", 1),
        Crash("transaction.committed", 3),
    ];
    after_each(&crashes, async |crash| {
        let scene = Scene::set(kafka, Mode::Transactional).await;
        scene.crash(crash).await;
        scene.finish().await;
        transactional::assert_each_record_came_out_once(&scene).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "is the process that the others start"]
async fn a_member_of_the_group() {
    let Some(job) = Job::given() else { return };
    job.run().await;
}
