//! What the database has of an event: its row, and its deliveries.

use jiff::Timestamp;
use millrace_domain::payment;
use millrace_store::{DeliveryStatus, NotificationStatus, Store, StoreError, StoredNotification};
use serde_json::json;

use super::hop::{Hop, HopKind};
use super::ids::Ids;
use super::topics::{accepted, paid};

/// Reads the rows of these ids; `known` is what the topics have of them.
pub(super) async fn search(store: &Store, ids: &Ids, known: &[Hop]) -> Result<Vec<Hop>, StoreError> {
    let mut hops = Vec::new();
    for id in ids.all() {
        let other = ids.other(id);
        if let Some(event) = store.event(id).await? {
            let place = format!("{}-{}-{}", event.topic, event.partition, event.offset);
            let time = Timestamp::from_duration(event.time.as_unix()).ok();
            hops.extend(time.and_then(|at| accepted(&event.event_type, &event.source, at, event.received_at, other)));
            let is_known = || known.iter().any(|hop| hop.kind == HopKind::Paid && hop.place == place);
            if event.event_type == payment::EVENT_TYPE && !is_known() {
                hops.extend(time.map(|at| paid(at, &place, event.data.as_bytes(), json!({"id": other}))));
            }
            let details = json!({"table": "events", "from": place, "type": event.event_type, "id": other});
            hops.push(Hop::new(HopKind::Stored, event.received_at, store.display_url(), details));
        }
        if let Some(notification) = store.notification(id).await? {
            hops.extend(deliveries(&notification, other));
        }
    }
    Ok(hops)
}

fn deliveries(notification: &StoredNotification, id: Option<&str>) -> Vec<Hop> {
    let mut hops: Vec<Hop> = notification
        .deliveries
        .iter()
        .map(|delivery| {
            let kind = match delivery.status {
                DeliveryStatus::Delivered => HopKind::Delivered,
                DeliveryStatus::Failed => HopKind::Attempt,
            };
            let details = json!({
                "attempt": delivery.attempt, "user_id": notification.user_id, "error": delivery.error, "id": id
            });
            Hop::new(kind, delivery.at, &delivery.destination, details)
        })
        .collect();
    if notification.status == NotificationStatus::Failed
        && let Some(last) = notification.deliveries.iter().max_by_key(|delivery| delivery.at)
    {
        let details = json!({"user_id": notification.user_id, "error": last.error, "id": id});
        hops.push(Hop::new(HopKind::Failed, last.at, &last.destination, details));
    }
    hops
}
