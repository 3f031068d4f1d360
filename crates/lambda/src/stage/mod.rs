//! What functions share that are stages of the lake: events of objects, settings, and what stages need.

mod context;
mod handle;
mod object;

pub use context::{LakeContext, LakeSettings, StageContext, StageSettings};
pub use handle::handle;
