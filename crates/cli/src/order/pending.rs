//! Orders that wait for their payment.

use std::collections::HashMap;
use std::time::Instant;

use millrace_domain::payment::payment_id;

/// An order without a payment.
#[derive(Debug)]
pub(super) struct Order {
    /// The order id.
    pub(super) id: String,
    /// When it was placed.
    pub(super) placed: Instant,
}

/// Orders that wait for their payment, by the payment's id.
#[derive(Debug, Default)]
pub(super) struct Pending(HashMap<String, Order>);

impl Pending {
    /// Adds an order with this event id, from which its payment's id is derived.
    pub(super) fn place(&mut self, event_id: &str, order: Order) {
        self.0.insert(payment_id(event_id).as_str().to_owned(), order);
    }

    /// The pending order with this event id.
    pub(super) fn of(&self, event_id: &str) -> Option<&Order> {
        self.0.get(payment_id(event_id).as_str())
    }

    /// Removes an order that was not accepted: it gets no payment.
    pub(super) fn withdraw(&mut self, event_id: &str) -> Option<Order> {
        self.0.remove(payment_id(event_id).as_str())
    }

    /// Removes and returns the order of this payment; `None` for a repeat or another order's payment.
    pub(super) fn settle(&mut self, payment_id: &str) -> Option<Order> {
        self.0.remove(payment_id)
    }

    /// Ids of the pending orders, oldest first.
    pub(super) fn ids(&self) -> Vec<&str> {
        let mut orders: Vec<_> = self.0.values().collect();
        orders.sort_by_key(|order| order.placed);
        orders.into_iter().map(|order| order.id.as_str()).collect()
    }

    /// Number of pending orders.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_settled_once_and_by_its_own_payment() {
        let mut pending = Pending::default();
        for event_id in ["a", "b"] {
            pending.place(event_id, Order { id: "101".to_owned(), placed: Instant::now() });
        }
        let payment = payment_id("a");
        assert!(pending.settle(payment_id("c").as_str()).is_none());
        assert!(pending.settle(payment.as_str()).is_some() && pending.settle(payment.as_str()).is_none());
        assert!(pending.withdraw("b").is_some());
        assert_eq!(pending.len(), 0);
    }
}
