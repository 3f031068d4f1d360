//! The id of an insight, derived from its logins.

use uuid::Uuid;

use crate::insights::SeenLogin;

/// The namespace of the ids (RFC 9562, section 5.5).
const NAMESPACE: Uuid = Uuid::from_u128(0x7d7a_4c1e_93b0_4f6e_a3a5_52d1_7b0f_61c8);

/// The id of a batch's insight: a name-based UUID of the positions and timestamps of its records.
///
/// Timestamps distinguish records at the same positions of another cluster, or of a recreated topic.
pub(crate) fn id(batch: &[&SeenLogin]) -> Uuid {
    let mut name = Vec::with_capacity(20 * batch.len());
    for seen in batch {
        name.extend_from_slice(&seen.partition.to_be_bytes());
        name.extend_from_slice(&seen.offset.to_be_bytes());
        name.extend_from_slice(&seen.recorded.to_be_bytes());
    }
    Uuid::new_v5(&NAMESPACE, &name)
}
