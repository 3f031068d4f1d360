//! Where lines go.

#[cfg(feature = "firehose")]
pub(crate) mod firehose;
pub(crate) mod objects;
#[cfg(any(feature = "firehose", test))]
pub(crate) mod packing;

use millrace_consumer::{Attempt, Batch, BatchError, Refused};

use crate::line::Line;

/// A sink of lines.
#[derive(Debug)]
pub(crate) enum Sink {
    /// An object a batch, in a bucket or a folder.
    Objects(objects::ObjectSink),
    /// A Firehose stream.
    #[cfg(feature = "firehose")]
    Firehose(firehose::FirehoseSink),
}

impl Sink {
    /// Writes a batch, but for the lines that it returns: those that the sink does not take.
    ///
    /// # Errors
    /// [`BatchError`]; a part may have been written.
    pub(crate) async fn write(
        &self,
        batch: &Batch<'_, Line<'_>>,
        #[cfg_attr(not(feature = "firehose"), expect(unused_variables))] attempt: &Attempt<'_>,
    ) -> Result<Vec<Refused>, BatchError> {
        match self {
            Self::Objects(objects) => objects.write(batch).await.map(|()| Vec::new()),
            #[cfg(feature = "firehose")]
            Self::Firehose(firehose) => firehose.write(batch.rows, attempt).await,
        }
    }
}
