//! Alerts on the terminal of `millrace dev`: what mails and chats say on AWS.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use millrace_lake::anomaly::AlertEvent;
use millrace_stages::{Bus, BusError, BusEvent};

const RAISED: Style = AnsiColor::Red.on_default().bold();
const RESOLVED: Style = AnsiColor::Green.on_default().bold();

/// Prints alerts; what else stages say is in the log.
pub(super) struct Terminal;

impl Bus for Terminal {
    fn publish<'b>(&'b self, event: &'b BusEvent) -> BoxFuture<'b, Result<(), BusError>> {
        if let BusEvent::Alert(alert) = event {
            print(alert);
        }
        std::future::ready(Ok(())).boxed()
    }
}

fn print(alert: &AlertEvent) {
    let style = if matches!(alert, AlertEvent::Resolved(_)) { RESOLVED } else { RAISED };
    let mut text = format!("{style}{}{style:#} {}\n", alert.word(), alert.headline());
    for line in alert.body().lines() {
        text.push_str("  ");
        text.push_str(line);
        text.push('\n');
    }
    // A closed stdout is no error here.
    let _ = anstream::stdout().write_all(text.as_bytes());
}
