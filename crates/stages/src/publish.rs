//! Rows as records of `cleaned-logs`, acknowledged by the brokers.
//!
//! Rows are made where work blocks and records are sent where it waits: blocks of rows go from one to the other, so that
//! few of them are in memory.

use std::io;

use futures_util::StreamExt as _;
use millrace_kafka::Producer;
use millrace_lake::{Batch, LakeWriter, Quarantined, RowView, Sink, Source};
use tokio::sync::mpsc;

use crate::error::StageError;
use crate::stream::{Record, Stream};

/// Where cleaned rows go.
const ROWS: Stream =
    Stream { topic: "cleaned-logs", event_type: "millrace.log.cleaned", source: "/millrace/log-clean" };

/// Bytes of JSON at which a block of rows is sent.
const BLOCK_BYTES: usize = 1 << 20;

/// Blocks that wait to be sent, and that wait for their acknowledgements.
const BLOCKS: usize = 2;

/// The most bytes of JSON of a row on the topic, which takes 1 MiB with its headers.
const ROW_LIMIT: usize = 1_000_000;

/// What is left of the texts of a row that is larger.
const TEXT_LIMIT: usize = 64 << 10;

/// A sink that writes rows as Parquet and hands them on to be published.
pub(crate) struct PublishingSink<'w, 'f> {
    pub(crate) writer: &'w mut LakeWriter<'f>,
    pub(crate) blocks: mpsc::Sender<Vec<Record>>,
}

/// The ends of a way for blocks of rows.
pub(crate) fn way() -> (mpsc::Sender<Vec<Record>>, mpsc::Receiver<Vec<Record>>) {
    mpsc::channel(BLOCKS)
}

impl PublishingSink<'_, '_> {
    fn hand_on(&self, block: Vec<Record>) -> io::Result<()> {
        // The publisher ends early where it failed: its own error says why.
        self.blocks.blocking_send(block).map_err(|_| io::Error::other("rows cannot be published"))
    }
}

impl Sink for PublishingSink<'_, '_> {
    fn rows(&mut self, batch: &Batch, source: &Source) -> io::Result<()> {
        self.writer.rows(batch, source)?;
        let (mut block, mut bytes) = (Vec::new(), 0);
        for row in batch.views(&source.name) {
            let record = record(row)?;
            bytes += record.value.len();
            block.push(record);
            if bytes >= BLOCK_BYTES {
                self.hand_on(std::mem::take(&mut block))?;
                bytes = 0;
            }
        }
        if block.is_empty() { Ok(()) } else { self.hand_on(block) }
    }

    fn quarantine(&mut self, line: Quarantined<'_>, source: &Source) -> io::Result<()> {
        self.writer.quarantine(line, source)
    }
}

fn record(mut row: RowView<'_>) -> io::Result<Record> {
    let mut value = serde_json::to_vec(&row)?;
    if value.len() > ROW_LIMIT {
        // The lake has all of it.
        row.shorten(TEXT_LIMIT);
        value = serde_json::to_vec(&row)?;
    }
    let (id, time, key) = (row.id.to_owned(), row.time, row.service.map(str::to_owned));
    Ok(Record { id, time, key, value })
}

/// Publishes blocks of rows as they come, until there are no more or one is not acknowledged.
pub(crate) async fn publish(producer: &Producer, blocks: mpsc::Receiver<Vec<Record>>) -> Result<(), StageError> {
    let blocks = futures_util::stream::unfold(blocks, async |mut blocks| Some((blocks.recv().await?, blocks)));
    let sent = blocks.map(|block| ROWS.send(producer, block)).buffered(BLOCKS);
    let mut sent = std::pin::pin!(sent);
    while let Some(block) = sent.next().await {
        block?;
    }
    Ok(())
}
