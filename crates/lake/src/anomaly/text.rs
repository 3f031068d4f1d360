//! Alerts in words.

use std::fmt::Write as _;

use super::alerts::{AlertEvent, Raised, Resolved, Updated};
use super::judge::Anomaly;
use super::signal::Signal;
use crate::metrics::WINDOW_SECONDS;

impl AlertEvent {
    /// The word before the headline.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Raised(_) => "ALERT",
            Self::Updated(_) => "UPDATE",
            Self::Resolved(_) => "RESOLVED",
        }
    }

    /// One line that says what happened.
    pub fn headline(&self) -> String {
        match self {
            Self::Raised(Raised { anomaly, .. }) => sentence(anomaly),
            Self::Updated(Updated { anomaly, joined, .. }) => {
                let name = plain(&anomaly.service);
                match joined.iter().find(|joined| joined.service != anomaly.service) {
                    Some(other) if joined.len() == 1 => format!("{name}: also {}", sentence(other)),
                    Some(other) => format!("{name}: also {} and {} more", sentence(other), joined.len() - 1),
                    None => format!("{name}: now {}", joined.first().map(statement).unwrap_or_default()),
                }
            }
            Self::Resolved(Resolved { anomaly, became_usual, .. }) => {
                let (name, noun) = (plain(&anomaly.service), noun(anomaly.signal));
                let how = if *became_usual { "usual from now on, after a day" } else { "over" };
                format!("{name}: {how}: {noun}")
            }
        }
    }

    /// What a person needs to look into it: lines of text.
    pub fn body(&self) -> String {
        let mut text = String::new();
        match self {
            Self::Raised(Raised { anomaly, also, .. }) => {
                for anomaly in std::iter::once(anomaly).chain(also) {
                    write_anomaly(&mut text, anomaly);
                }
                write_rows(&mut text, anomaly);
            }
            Self::Updated(Updated { joined, .. }) => {
                for anomaly in joined {
                    write_anomaly(&mut text, anomaly);
                    write_rows(&mut text, anomaly);
                }
            }
            Self::Resolved(Resolved { anomaly, resolved_at, services, service_count, signals, .. }) => {
                let minutes = (resolved_at.as_second() - anomaly.window_start.as_second()) / WINDOW_SECONDS;
                let signals: Vec<&str> = signals.iter().map(|&signal| noun(signal)).collect();
                let mut names: Vec<String> = services.iter().map(|service| plain(service)).collect();
                if *service_count > names.len() {
                    names.push(format!("{} more", service_count - names.len()));
                }
                let (signals, names) = (signals.join(", "), names.join(", "));
                // Writing to a string cannot fail.
                let _ = writeln!(
                    text,
                    "Last unusual minute until {resolved_at}, after {minutes} min: {signals} of {names}."
                );
            }
        }
        let _ = writeln!(text, "Alert: {}", self.alert_id());
        text
    }
}

fn write_anomaly(text: &mut String, anomaly: &Anomaly) {
    let (value, usual) = values(anomaly);
    let (service, start) = (plain(&anomaly.service), anomaly.window_start);
    let _ = writeln!(text, "{service}: {value} in the minute from {start}, expected {usual}.");
}

fn write_rows(text: &mut String, anomaly: &Anomaly) {
    let Some(rows) = &anomaly.rows else { return };
    let lines = if rows.first_line == rows.last_line {
        format!("line {}", rows.first_line)
    } else {
        format!("lines {} to {}", rows.first_line, rows.last_line)
    };
    let what = if anomaly.signal == Signal::Silence { "Its last rows" } else { "Rows" };
    let _ = writeln!(text, "{what}: {}, {lines}.", plain(&rows.object));
}

fn sentence(anomaly: &Anomaly) -> String {
    format!("{}: {}", plain(&anomaly.service), statement(anomaly))
}

fn statement(anomaly: &Anomaly) -> String {
    let (value, usual) = values(anomaly);
    format!("{value}, expected {usual}")
}

/// A name from a log line, which may have any characters: none of it begins a line or commands a terminal.
fn plain(name: &str) -> String {
    name.replace(char::is_control, " ")
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
