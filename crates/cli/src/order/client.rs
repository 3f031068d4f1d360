//! Sends orders and follows their payments and notifications.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use millrace_domain::event::ORDER;
use millrace_domain::traceparent::TraceParent;
use millrace_domain::{Envelope, ErrorClass, EventId};
use millrace_json::Document;
use millrace_kafka::producer::{Ack, ProduceError};
use millrace_kafka::{Producer, ProducerRecord, Read, Reader, Record, headers};
use millrace_store::{DeliveryStatus, NotificationStatus, Store, StoredNotification};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::line::{Line, NewOrder};
use super::pending::{Order, Pending};
use super::printer::{Printer, Settled};

/// `ce_source` of the orders.
const SOURCE: &str = "/millrace/order";

/// Orders that may wait for their payment; beyond it no more lines are read until some are settled.
const PENDING_LIMIT: usize = 10_000;

/// How often and how many times to look up whether a notification was delivered.
const LOOKUP_INTERVAL: Duration = Duration::from_millis(100);
const LOOKUP_LIMIT: u32 = 100;

/// Sends orders, reads `payments` and looks up notifications in the database.
pub(super) struct OrderClient<'d> {
    producer: Producer,
    payments: &'d Reader,
    store: Option<Store>,
    printer: &'d Printer,
    timeout: Duration,
    pending: Pending,
    is_complete: bool,
    sending: FuturesUnordered<BoxFuture<'static, Sent>>,
    notifying: FuturesUnordered<BoxFuture<'static, (String, Option<StoredNotification>)>>,
}

struct Sent {
    event_id: EventId,
    report: Result<Ack, ProduceError>,
}

impl<'d> OrderClient<'d> {
    pub(super) fn new(
        producer: Producer,
        payments: &'d Reader,
        store: Option<Store>,
        printer: &'d Printer,
        timeout: Duration,
    ) -> Self {
        Self {
            producer,
            payments,
            store,
            printer,
            timeout,
            pending: Pending::default(),
            is_complete: true,
            sending: FuturesUnordered::new(),
            notifying: FuturesUnordered::new(),
        }
    }

    /// Sends orders until the last line, then waits for their payments. Returns whether every line was an order and was
    /// settled.
    pub(super) async fn run(
        &mut self,
        mut lines: mpsc::Receiver<std::io::Result<Line>>,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<bool> {
        let mut is_open = true;
        let mut end = None;
        while is_open || self.is_waiting() {
            if !is_open && end.is_none() {
                end = Some(tokio::time::Instant::now() + self.timeout);
            }
            let time_is_up = async {
                match end {
                    Some(end) => tokio::time::sleep_until(end).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                line = lines.recv(), if is_open && self.pending.len() < PENDING_LIMIT => match line {
                    Some(line) => is_open = self.take(line?)?,
                    None => is_open = false,
                },
                Some(sent) = self.sending.next() => self.sent(&sent)?,
                read = self.payments.next() => {
                    if let Read::Record(record) = read? {
                        self.payment(&record)?;
                    }
                }
                Some((order, notification)) = self.notifying.next() => self.notified(&order, notification)?,
                () = time_is_up => {
                    for order in self.pending.ids() {
                        self.printer.unpaid(order, self.timeout)?;
                    }
                    tracing::error!("timed out waiting for payments: is the consumer payments running?");
                    return Ok(false);
                }
                () = shutdown.cancelled() => return Ok(self.is_complete && self.pending.len() == 0),
            }
        }
        Ok(self.is_complete)
    }

    fn is_waiting(&self) -> bool {
        self.pending.len() > 0 || !self.sending.is_empty() || !self.notifying.is_empty()
    }

    /// Handles a line. Returns whether more may follow.
    fn take(&mut self, line: Line) -> std::io::Result<bool> {
        match line {
            Line::Blank => {}
            Line::End => return Ok(false),
            Line::Order(order) => self.place(order),
            Line::Wrong { text, reason } => {
                self.is_complete = false;
                self.printer.refused(&text, &reason)?;
            }
        }
        Ok(true)
    }

    fn place(&mut self, order: NewOrder) {
        let event_id = EventId::random();
        self.pending.place(event_id.as_str(), Order { id: order.id.clone(), placed: Instant::now() });
        let producer = self.producer.clone();
        let sent = async move {
            let envelope = Envelope {
                id: event_id.clone(),
                event_type: ORDER.name.into(),
                source: SOURCE.into(),
                time: format!("{:.3}", jiff::Timestamp::now()).into(),
                content_type: "application/json".into(),
                traceparent: Some(TraceParent::next_hop(None, &mut rand::rng()).to_string()),
                attributes: Vec::new(),
            };
            let record = ProducerRecord {
                topic: ORDER.topic,
                partition: None,
                key: Some(order.id.as_bytes()),
                value: Some(&order.value),
                headers: headers::from_envelope(&envelope),
            };
            Sent { event_id, report: producer.send(record).await }
        };
        self.sending.push(sent.boxed());
    }

    fn sent(&mut self, sent: &Sent) -> std::io::Result<()> {
        let event_id = sent.event_id.as_str();
        match &sent.report {
            // The payment may arrive before the acknowledgement of its order.
            Ok(ack) => match self.pending.of(event_id) {
                Some(order) => self.printer.accepted(&order.id, *ack),
                None => Ok(()),
            },
            // The order may be written all the same; if not, waiting for its payment times out.
            Err(error) if error.may_be_written() => Ok(()),
            Err(error) => {
                self.is_complete = false;
                match self.pending.withdraw(event_id) {
                    Some(order) => self.printer.refused(&order.id, &self.reason_of(error)),
                    None => Ok(()),
                }
            }
        }
    }

    /// Why an order was not accepted; for transient errors with the brokers' addresses.
    fn reason_of(&self, error: &ProduceError) -> String {
        match error.class() {
            ErrorClass::Transient => format!("{error} (brokers: {})", self.producer.bootstrap_servers()),
            ErrorClass::Permanent | ErrorClass::Fatal => error.to_string(),
        }
    }

    fn payment(&mut self, record: &Record<'_>) -> std::io::Result<()> {
        let id = record.envelope().id;
        let Some(order) = self.pending.settle(id.as_str()) else { return Ok(()) };
        let settled = settled(id.as_str(), record.value().unwrap_or_default());
        self.printer.settled(&order.id, &settled, order.placed.elapsed())?;
        if let Some(store) = self.store.clone() {
            let payment_id = settled.payment_id;
            self.notifying.push(async move { (order.id, final_notification(&store, &payment_id).await) }.boxed());
        }
        Ok(())
    }

    fn notified(&self, order: &str, notification: Option<StoredNotification>) -> std::io::Result<()> {
        let Some(notification) = notification else { return self.printer.notified(order, "pending", "") };
        let destinations: Vec<_> = notification
            .deliveries
            .iter()
            .filter(|delivery| delivery.status == DeliveryStatus::Delivered)
            .map(|delivery| delivery.destination.as_str())
            .collect();
        let status = match notification.status {
            NotificationStatus::Accepted => "pending",
            NotificationStatus::Delivered => "delivered",
            NotificationStatus::Failed => "failed",
        };
        self.printer.notified(order, status, &destinations.join(", "))
    }
}

fn settled(payment_id: &str, value: &[u8]) -> Settled {
    let document = Document::parse(value).ok();
    let text = |name| Some(document.as_ref()?.get(name)?.as_str()?.into_owned());
    Settled {
        payment_id: payment_id.to_owned(),
        status: text("status").unwrap_or_else(|| "settled".to_owned()),
        reason: text("reason"),
    }
}

/// The notification of a payment once it is delivered or failed, else its last known state after [`LOOKUP_LIMIT`]
/// lookups.
async fn final_notification(store: &Store, payment_id: &str) -> Option<StoredNotification> {
    let mut known = None;
    for _ in 0..LOOKUP_LIMIT {
        match store.notification(payment_id).await {
            Ok(found) => known = found.or(known),
            Err(error) => tracing::debug!(%error, "notification lookup failed, retrying"),
        }
        if known.as_ref().is_some_and(|known| known.status != NotificationStatus::Accepted) {
            break;
        }
        tokio::time::sleep(LOOKUP_INTERVAL).await;
    }
    known
}
