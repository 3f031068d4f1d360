//! Taking notifications up, each once, and writing down what became of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::id_conflicts::{IdClaim, IdConflicts, nul_in};
use crate::id_uniqueness::name;
use crate::tables::{IdTable, Tables};
use crate::{
    AcceptResult, Delivery, DeliveryStatus, NewNotification, NotificationOutcome, NotificationResult, StoreError,
};

pub(crate) const ACCEPTING: &str = "cannot accept notifications";
pub(crate) const RECORDING: &str = "cannot record deliveries";

/// Inserts the notifications, in a transaction that the caller has begun and ends; answers in their order.
pub(crate) async fn accept(
    tables: &mut impl Tables,
    notifications: &[NewNotification<'_>],
) -> Result<Vec<AcceptResult>, StoreError> {
    let places: Vec<_> =
        notifications.iter().filter(|new| new.is_synthetic_id).map(|new| (new.id, new.digest)).collect();
    if !places.is_empty() {
        tables.forget_notifications(&places).await.map_err(StoreError::call(ACCEPTING))?;
    }
    let mut claims = IdConflicts::new(notifications.iter().map(|new| IdClaim { id: new.id, digest: new.digest }));
    claims.refuse(|row, _| {
        let NewNotification { id, user_id, .. } = notifications[row];
        nul_in(&[("id", Some(id)), ("user_id", Some(user_id))])
    });
    name(tables, IdTable::Notifications, &mut claims).await.map_err(StoreError::call(ACCEPTING))?;
    let mut is_new = vec![false; notifications.len()];
    loop {
        let round = claims.round();
        if round.is_empty() {
            break;
        }
        let fates = tables.insert_notifications(notifications, &round).await.map_err(StoreError::call(ACCEPTING))?;
        for row in round {
            is_new[row] = !fates.contains_key(&row);
        }
        claims.settle(&fates);
    }

    let mut refused = claims.into_refused();
    let is_repeat = |row: &usize| !is_new[*row] && !refused.contains_key(row);
    let repeats: BTreeSet<_> = (0..notifications.len()).filter(is_repeat).map(|row| notifications[row].id).collect();
    let repeats: Vec<_> = repeats.into_iter().collect();
    let progress = if repeats.is_empty() { HashMap::new() } else { tables.progress(&repeats).await? };
    let answer = |(row, new): (usize, &NewNotification<'_>)| match refused.remove(&row) {
        Some(refusal) => AcceptResult::Refused(refusal),
        None if is_new[row] => AcceptResult::New,
        None => AcceptResult::Repeat(progress.get(new.id).cloned().unwrap_or_default()),
    };
    Ok(notifications.iter().enumerate().map(answer).collect())
}

/// Writes attempts and ends down, in a transaction that the caller has begun and ends.
pub(crate) async fn record(
    tables: &mut impl Tables,
    deliveries: &[Delivery<'_>],
    conclusions: &[NotificationResult<'_>],
) -> Result<(), StoreError> {
    // In the order of the key, so that two who record at once do not lock each other out.
    let mut attempts = BTreeMap::new();
    for delivery in deliveries {
        let known = attempts.entry((delivery.event_id, delivery.destination, delivery.attempt)).or_insert(*delivery);
        if known.status != DeliveryStatus::Delivered {
            *known = *delivery;
        }
    }
    let mut ends = BTreeMap::new();
    for conclusion in conclusions {
        let known = ends.entry(conclusion.event_id).or_insert(*conclusion);
        if known.outcome != NotificationOutcome::Delivered {
            *known = *conclusion;
        }
    }
    let (attempts, ends): (Vec<_>, Vec<_>) = (attempts.into_values().collect(), ends.into_values().collect());
    tables.record(&attempts, &ends).await.map_err(StoreError::call(RECORDING))
}
