//! A payment's id, derived from the order's.

use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid, uuid};

use crate::id::EventId;

/// The namespace of payment ids.
const NAMESPACE: Uuid = uuid!("663724e9-2c93-48e2-bc09-714b340c7401");

/// The id of the payment of an order, from the id of the order's event.
///
/// Every process derives the same id at every attempt: it is the idempotency key of the charge, and the id of the
/// payment's own event.
///
/// A name-based `UUIDv8` over SHA-256 (RFC 9562, section 5.8 and appendix B.2).
pub fn payment_id(order_event: &str) -> EventId {
    let mut buffer = Uuid::encode_buffer();
    EventId::new(&*name_based(NAMESPACE, order_event).hyphenated().encode_lower(&mut buffer))
}

fn name_based(namespace: Uuid, name: &str) -> Uuid {
    let digest: [u8; 32] = Sha256::new().chain_update(namespace.as_bytes()).chain_update(name).finalize().into();
    let (head, _) = digest.split_at(16);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(head);
    Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_match_the_example_of_rfc_9562() {
        let id = name_based(Uuid::NAMESPACE_DNS, "www.example.com");
        assert_eq!(id.to_string(), "5c146b14-3c52-8afd-938a-375d0df1fbf6");
    }

    #[test]
    fn a_payment_id_never_changes() {
        assert_eq!(payment_id("order-1").as_str(), "59d9c5c9-614d-8608-8761-977994b895fa");
        assert_ne!(payment_id("order-1"), payment_id("order-2"));
    }

    proptest! {
        #[test]
        fn payment_ids_are_unique_and_valid_headers(events: HashSet<String>) {
            let ids: HashSet<_> = events.iter().map(|event| payment_id(event)).collect();
            prop_assert_eq!(ids.len(), events.len());
            prop_assert!(ids.iter().all(|id| id.as_str().len() == 36 && id.as_str().is_ascii()));
        }
    }
}
