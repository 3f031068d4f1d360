//! What is told: every step on a terminal, one line an order in a pipe.

use std::io::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use millrace_kafka::producer::Ack;

/// See the module's text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Printer {
    is_live: bool,
}

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const PLAIN: Style = Style::new();

/// How a payment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) payment_id: String,
    pub(super) status: String,
    /// Why, where it was declined.
    pub(super) reason: Option<String>,
}

impl Printer {
    pub(super) fn new(is_live: bool) -> Self {
        Self { is_live }
    }

    /// Asks for the first order.
    pub(super) fn greet(self, shows_notifications: bool) -> std::io::Result<()> {
        if !self.is_live {
            return Ok(());
        }
        let notifications = if shows_notifications { "" } else { " Notifications are not shown without --database." };
        writeln!(
            anstream::stdout(),
            "A line is an order's id, or an order as JSON; exit or Ctrl-D ends.{notifications}"
        )?;
        self.prompt()
    }

    pub(super) fn prompt(self) -> std::io::Result<()> {
        if self.is_live {
            write!(anstream::stdout(), "order> ")?;
            anstream::stdout().flush()?;
        }
        Ok(())
    }

    pub(super) fn accepted(self, order: &str, ack: Ack) -> std::io::Result<()> {
        if self.is_live {
            self.step(order, "accepted", PLAIN, &format!("orders/{}@{}", ack.partition, ack.offset))
        } else {
            Ok(())
        }
    }

    pub(super) fn settled(self, order: &str, settled: &Settled, after: Duration) -> std::io::Result<()> {
        let Settled { payment_id, status, reason } = settled;
        let reason = reason.as_ref().map_or_else(String::new, |reason| format!("  {reason}"));
        let style = if status == "paid" { GOOD } else { BAD };
        if self.is_live {
            self.step(order, status, style, &format!("payment {payment_id} after {after:.0?}{reason}"))
        } else {
            writeln!(anstream::stdout(), "{order} {status} {payment_id}{reason}")
        }
    }

    pub(super) fn notified(self, order: &str, status: &str, destinations: &str) -> std::io::Result<()> {
        let style = if status == "delivered" { GOOD } else { BAD };
        self.step(order, &format!("notification {status}"), style, destinations)
    }

    /// An order that is none, or was not accepted.
    pub(super) fn refused(self, order: &str, reason: &str) -> std::io::Result<()> {
        self.failed(order, "refused", reason)
    }

    /// An order whose payment did not come in time.
    pub(super) fn unpaid(self, order: &str, timeout: Duration) -> std::io::Result<()> {
        self.failed(order, "unpaid", &format!("no payment within {timeout:?}"))
    }

    fn failed(self, order: &str, how: &str, reason: &str) -> std::io::Result<()> {
        if self.is_live {
            self.step(order, how, BAD, reason)
        } else {
            writeln!(anstream::stdout(), "{order} {how} {reason}")
        }
    }

    fn step(self, order: &str, what: &str, style: Style, more: &str) -> std::io::Result<()> {
        // Over the prompt, which comes again below.
        writeln!(anstream::stdout(), "\r  {order}  {style}{what}{style:#}  {more}")?;
        self.prompt()
    }
}
