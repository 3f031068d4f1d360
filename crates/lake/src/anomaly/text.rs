//! Alerts in words.

use std::fmt::Write as _;

use super::alerts::{AlertEvent, Raised, Resolved};
use super::judge::Anomaly;
use super::signal::Signal;
use crate::metrics::WINDOW_SECONDS;

impl AlertEvent {
    /// One line that says what happened.
    pub fn headline(&self) -> String {
        match self {
            Self::Raised(Raised { anomaly, .. }) => {
                let (value, usual) = values(anomaly);
                format!("{}: {value}, expected {usual}", anomaly.service)
            }
            Self::Resolved(Resolved { anomaly, .. }) => {
                format!("{}: over: {}", anomaly.service, noun(anomaly.signal))
            }
        }
    }

    /// What a person needs to look into it: lines of text.
    pub fn body(&self) -> String {
        let mut text = String::new();
        match self {
            Self::Raised(Raised { alert_id, anomaly, also }) => {
                for anomaly in std::iter::once(anomaly).chain(also) {
                    let (value, usual) = values(anomaly);
                    let (service, start) = (&anomaly.service, anomaly.window_start);
                    let _ = writeln!(text, "{service}: {value} in the minute from {start}, expected {usual}.");
                }
                if let Some(rows) = &anomaly.rows {
                    let lines = if rows.first_line == rows.last_line {
                        format!("line {}", rows.first_line)
                    } else {
                        format!("lines {} to {}", rows.first_line, rows.last_line)
                    };
                    let when = if anomaly.signal == Signal::Silence { "Its last rows" } else { "Rows" };
                    let _ = writeln!(text, "{when}: {}, {lines}.", rows.object);
                }
                let _ = writeln!(text, "Alert: {alert_id}");
            }
            Self::Resolved(Resolved { alert_id, anomaly, resolved_at, services, signals }) => {
                let minutes = (resolved_at.as_second() - anomaly.window_start.as_second()) / WINDOW_SECONDS;
                let signals: Vec<&str> = signals.iter().map(|&signal| noun(signal)).collect();
                let services: Vec<&str> = services.iter().map(String::as_str).collect();
                let _ = writeln!(
                    text,
                    "Over since {resolved_at}, after {minutes} min: {} of {}.",
                    signals.join(", "),
                    services.join(", ")
                );
                let _ = writeln!(text, "Alert: {alert_id}");
            }
        }
        text
    }
}

fn noun(signal: Signal) -> &'static str {
    match signal {
        Signal::ErrorRate => "many errors",
        Signal::Silence => "silence",
        Signal::Latency => "long latencies",
        Signal::Volume => "an unusual number of log records",
    }
}

/// The value and what is usual, with units.
fn values(anomaly: &Anomaly) -> (String, String) {
    let Anomaly { value, baseline, .. } = anomaly;
    match anomaly.signal {
        Signal::ErrorRate => (format!("{} errors", percent(*value)), percent(*baseline)),
        Signal::Silence => ("no log records".to_owned(), format!("{baseline:.0} a minute")),
        Signal::Latency => (format!("p95 of {}", duration(*value)), duration(*baseline)),
        Signal::Volume => (format!("{value:.0} log records"), format!("{baseline:.0}")),
    }
}

fn percent(rate: f64) -> String {
    let percent = rate * 100.0;
    if percent < 10.0 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

fn duration(milliseconds: f64) -> String {
    match milliseconds {
        ..10.0 => format!("{milliseconds:.2} ms"),
        ..1_000.0 => format!("{milliseconds:.0} ms"),
        _ => format!("{:.1} s", milliseconds / 1_000.0),
    }
}
