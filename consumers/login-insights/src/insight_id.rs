//! An insight's id follows from the logins it is made of.

use uuid::Uuid;

use crate::insights::SeenLogin;

/// The namespace of insights' ids, in the sense of RFC 9562, section 5.5.
const NAMESPACE: Uuid = Uuid::from_u128(0x7d7a_4c1e_93b0_4f6e_a3a5_52d1_7b0f_61c8);

/// The id of the insight of a batch, a name-based UUID of the places and times of its records.
///
/// The times tell records apart that stand at the same positions of another broker, or of a topic that was made anew.
pub(crate) fn id(batch: &[&SeenLogin]) -> Uuid {
    let mut name = Vec::with_capacity(20 * batch.len());
    for seen in batch {
        name.extend_from_slice(&seen.partition.to_be_bytes());
        name.extend_from_slice(&seen.offset.to_be_bytes());
        name.extend_from_slice(&seen.recorded.to_be_bytes());
    }
    Uuid::new_v5(&NAMESPACE, &name)
}
