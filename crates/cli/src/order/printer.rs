//! Output: every step on a terminal, one line an order in a pipe.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use millrace_kafka::producer::Ack;

use super::editor::Terminal;
use crate::terminal_text::one_line;

/// Where the output goes.
#[derive(Debug)]
pub(super) enum Printer {
    /// A terminal: above the line being typed.
    Live(Terminal),
    /// A pipe or a file.
    Plain,
}

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const PLAIN: Style = Style::new();

/// The outcome of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) payment_id: String,
    pub(super) status: String,
    /// Why it was declined.
    pub(super) reason: Option<String>,
}

/// Prints what can be typed.
pub(super) fn print_usage(shows_notifications: bool) -> std::io::Result<()> {
    let notifications = if shows_notifications { "" } else { " Notifications are not shown without --database." };
    writeln!(anstream::stdout(), "A line is an order's id, or an order as JSON; exit or Ctrl-D ends.{notifications}")
}

impl Printer {
    pub(super) fn accepted(&self, order: &str, ack: Ack) -> std::io::Result<()> {
        match self {
            Self::Live(_) => self.print(order, "accepted", PLAIN, &format!("orders/{}@{}", ack.partition, ack.offset)),
            Self::Plain => Ok(()),
        }
    }

    pub(super) fn settled(&self, order: &str, settled: &Settled, after: Duration) -> std::io::Result<()> {
        let Settled { payment_id, status, reason } = settled;
        let style = if status == "paid" { GOOD } else { BAD };
        let mut more = payment_id.clone();
        if let Self::Live(_) = self {
            more = format!("payment {payment_id} after {after:.0?}");
        }
        if let Some(reason) = reason {
            // Writing to a string cannot fail.
            let _ = write!(more, "  {reason}");
        }
        self.print(order, status, style, &more)
    }

    pub(super) fn notified(&self, order: &str, status: &str, destinations: &str) -> std::io::Result<()> {
        let style = if status == "delivered" { GOOD } else { BAD };
        self.print(order, &format!("notification {status}"), style, destinations)
    }

    /// A line that is no order, or an order that was not accepted.
    pub(super) fn refused(&self, order: &str, reason: &str) -> std::io::Result<()> {
        self.print(order, "refused", BAD, reason)
    }

    /// An order whose payment timed out.
    pub(super) fn unpaid(&self, order: &str, timeout: Duration) -> std::io::Result<()> {
        self.print(order, "unpaid", BAD, &format!("no payment within {timeout:?}"))
    }

    fn print(&self, order: &str, what: &str, style: Style, more: &str) -> std::io::Result<()> {
        let (order, more) = (one_line(order.as_bytes()), one_line(more.as_bytes()));
        match self {
            Self::Live(terminal) => {
                terminal.print(&format!("  {order}  {style}{what}{style:#}  {more}\n"));
                Ok(())
            }
            Self::Plain => writeln!(anstream::stdout(), "{order} {what} {more}"),
        }
    }

    /// Waits until everything is printed.
    pub(super) async fn close(self) {
        if let Self::Live(terminal) = self {
            terminal.close().await;
        }
    }
}
