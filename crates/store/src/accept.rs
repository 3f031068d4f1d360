//! Accepting notifications, each once, and recording their deliveries.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::id_conflicts::{IdClaim, IdConflicts, nul_in};
use crate::id_uniqueness::refuse_taken;
use crate::tables::{IdTable, Tables};
use crate::{
    AcceptResult, Delivery, DeliveryStatus, NewNotification, NotificationOutcome, NotificationResult, StoreError,
};

pub(crate) const ACCEPTING: &str = "cannot accept notifications";
pub(crate) const RECORDING: &str = "cannot record deliveries";

/// Inserts the notifications in the caller's transaction; results are in their order.
pub(crate) async fn accept(
    tables: &mut impl Tables,
    notifications: &[NewNotification<'_>],
) -> Result<Vec<AcceptResult>, StoreError> {
    let synthetic_ids: Vec<_> =
        notifications.iter().filter(|new| new.is_synthetic_id).map(|new| (new.id, new.digest)).collect();
    if !synthetic_ids.is_empty() {
        tables.delete_stale_notifications(&synthetic_ids).await.map_err(StoreError::call(ACCEPTING))?;
    }
    let mut claims = IdConflicts::new(notifications.iter().map(|new| IdClaim { id: new.id, digest: new.digest }));
    claims.refuse(|row, _| {
        let NewNotification { id, user_id, .. } = notifications[row];
        nul_in(&[("id", Some(id)), ("user_id", Some(user_id))])
    });
    refuse_taken(tables, IdTable::Notifications, &mut claims).await.map_err(StoreError::call(ACCEPTING))?;
    let mut is_new = vec![false; notifications.len()];
    loop {
        let round = claims.round();
        if round.is_empty() {
            break;
        }
        let results = tables.insert_notifications(notifications, &round).await.map_err(StoreError::call(ACCEPTING))?;
        for row in round {
            is_new[row] = !results.contains_key(&row);
        }
        claims.settle(&results);
    }

    let mut refused = claims.into_refused();
    let is_repeat = |row: &usize| !is_new[*row] && !refused.contains_key(row);
    let repeats: BTreeSet<_> = (0..notifications.len()).filter(is_repeat).map(|row| notifications[row].id).collect();
    let repeats: Vec<_> = repeats.into_iter().collect();
    let progress = if repeats.is_empty() { HashMap::new() } else { tables.progress(&repeats).await? };
    let result = |(row, new): (usize, &NewNotification<'_>)| match refused.remove(&row) {
        Some(refusal) => AcceptResult::Refused(refusal),
        None if is_new[row] => AcceptResult::New,
        None => AcceptResult::Repeat(progress.get(new.id).cloned().unwrap_or_default()),
    };
    Ok(notifications.iter().enumerate().map(result).collect())
}

/// Records attempts and notification results in the caller's transaction.
pub(crate) async fn record(
    tables: &mut impl Tables,
    deliveries: &[Delivery<'_>],
    results: &[NotificationResult<'_>],
) -> Result<(), StoreError> {
    // In the order of the key, so that concurrent transactions do not deadlock.
    let mut attempts = BTreeMap::new();
    for delivery in deliveries {
        let recorded = attempts.entry((delivery.event_id, delivery.destination, delivery.attempt)).or_insert(*delivery);
        if recorded.status != DeliveryStatus::Delivered {
            *recorded = *delivery;
        }
    }
    let mut outcomes = BTreeMap::new();
    for result in results {
        let recorded = outcomes.entry(result.event_id).or_insert(*result);
        if recorded.outcome != NotificationOutcome::Delivered {
            *recorded = *result;
        }
    }
    let (attempts, results): (Vec<_>, Vec<_>) = (attempts.into_values().collect(), outcomes.into_values().collect());
    tables.record(&attempts, &results).await.map_err(StoreError::call(RECORDING))
}
