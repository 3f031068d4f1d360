//! A process crashes at any point of its work and another one takes its place: nothing is lost, and nothing is doubled
//! where the mode says so. On a real Kafka, with real processes.
#![allow(clippy::unwrap_used)] // a test that cannot go on fails

mod batch;
mod crash;
mod fixture;
mod keyed;
mod load;
mod process;
mod transactional;

use millrace_testkit::kafka;

use crate::crash::{Crash, after_each};
use crate::fixture::Fixture;
use crate::process::{Job, Mode};

#[tokio::test(flavor = "multi_thread")]
async fn keyed_records_survive_crashes_in_order() {
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
        let fixture = Fixture::set(kafka, Mode::Keyed).await;
        fixture.crash(crash).await;
        let committed = fixture.committed().await;
        fixture.finish().await;
        keyed::assert_nothing_is_lost(&fixture, &committed).await;
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
        let fixture = Fixture::set(kafka, Mode::Batch).await;
        fixture.crash(crash).await;
        batch::assert_rows_and_offsets_are_of_one_piece(&fixture).await;
        fixture.finish().await;
        batch::assert_rows_and_offsets_are_of_one_piece(&fixture).await;
        batch::assert_all_is_stored(&fixture).await;
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
        let fixture = Fixture::set(kafka, Mode::Transactional).await;
        fixture.crash(crash).await;
        fixture.finish().await;
        transactional::assert_each_record_came_out_once(&fixture).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "is the process that the others start"]
async fn a_member_of_the_group() {
    let Some(job) = Job::given() else { return };
    job.run().await;
}
