//! Writes batches of lines to the sink. The consumer runtime calls it for each batch.

use millrace_consumer::{Attempt, Batch, BatchError, BatchProcessor, ConsumerOptions, OffsetStorage, Written};
use millrace_kafka::Record;

use crate::line::Line;
use crate::settings::Limits;
use crate::sink::Sink;

/// Ships logs.
#[derive(Debug)]
pub struct LogShipper {
    pub(crate) sink: Sink,
    pub(crate) limits: Limits,
}

impl LogShipper {
    /// The options of the consumer runtime: when lines are shipped, and enough in flight for that.
    pub fn options(&self, options: ConsumerOptions) -> ConsumerOptions {
        self.limits.options(options)
    }
}

impl BatchProcessor for LogShipper {
    const OFFSETS: OffsetStorage = OffsetStorage::Group;

    type Row<'r> = Line<'r>;
    type Pending = ();

    fn read<'r>(&self, record: &'r Record<'_>) -> Result<Line<'r>, String> {
        Line::read(record)
    }

    async fn write(&self, batch: &Batch<'_, Self::Row<'_>>, attempt: &Attempt<'_>) -> Result<Written<()>, BatchError> {
        let refused = self.sink.write(batch, attempt).await?;
        Ok(Written { pending: (), refused })
    }

    async fn commit(&self, (): ()) -> Result<(), BatchError> {
        Ok(())
    }
}
