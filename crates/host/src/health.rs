//! Health of a process: the worst status of its parts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// Status of a part, ordered from best to worst.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "status", content = "reason", rename_all = "lowercase")]
pub enum Status {
    /// Working.
    Ok,
    /// Not working yet.
    Starting,
    /// Accepts no new work and finishes what is in flight.
    Draining,
    /// Not working, for this reason.
    Failed(String),
}

/// Status of all parts of a process, served by [`admin`](crate::admin). Clones share it.
///
/// The process has the status of its worst part; without any part it is starting.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    draining: bool,
    parts: BTreeMap<&'static str, Status>,
}

impl Health {
    /// Sets the status of `part` (`"kafka"`, `"console"`); adds a new part.
    pub fn set(&self, part: &'static str, status: Status) {
        self.state().parts.insert(part, status);
    }

    /// Marks the whole process as draining.
    pub fn drain(&self) {
        self.state().draining = true;
    }

    /// The current health.
    pub fn report(&self) -> Report {
        let state = self.state();
        let process = state.draining.then_some(("process", &Status::Draining));
        let parts = state.parts.iter().map(|(name, status)| (*name, status));
        let (name, worst) =
            parts.chain(process).max_by_key(|(_, status)| *status).unwrap_or(("process", &Status::Starting));
        let reason = match worst {
            Status::Ok => None,
            Status::Starting => Some(format!("{name} is starting")),
            Status::Draining => Some(format!("{name} is draining")),
            Status::Failed(reason) => Some(format!("{name}: {reason}")),
        };
        Report {
            status: match worst {
                Status::Ok => "ok",
                Status::Starting => "starting",
                Status::Draining => "draining",
                Status::Failed(_) => "failed",
            },
            reason,
            parts: state.parts.clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is a single insertion or assignment, so a poisoned lock holds a consistent state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The health of a process at one point in time: the body of `GET /health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// `ok`, `starting`, `draining` or `failed`.
    pub status: &'static str,
    /// The worst part and its problem; none if all parts are ok.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Status of each part.
    pub parts: BTreeMap<&'static str, Status>,
}

impl Report {
    /// Whether every part is [`Status::Ok`], and there is at least one.
    pub fn serves(&self) -> bool {
        self.reason.is_none()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_process_has_the_status_of_its_worst_part() {
        let health = Health::default();
        let now = || {
            let report = health.report();
            let serves = report.serves();
            (report.status, report.reason.unwrap_or_default(), serves)
        };
        assert_eq!(now(), ("starting", "process is starting".into(), false));

        health.set("kafka", Status::Ok);
        assert_eq!(now(), ("ok", String::new(), true));

        health.set("mail", Status::Starting);
        assert_eq!(now(), ("starting", "mail is starting".into(), false));

        health.set("kafka", Status::Failed("no broker answers".into()));
        assert_eq!(now(), ("failed", "kafka: no broker answers".into(), false));

        health.set("kafka", Status::Ok);
        health.set("mail", Status::Ok);
        assert_eq!(now(), ("ok", String::new(), true));

        health.drain();
        assert_eq!(now(), ("draining", "process is draining".into(), false));
    }

    #[test]
    fn the_report_lists_the_parts() {
        let health = Health::default();
        health.set("kafka", Status::Failed("no broker answers".into()));
        health.set("mail", Status::Ok);
        assert_eq!(
            serde_json::to_value(health.report()).unwrap(),
            json!({
                "status": "failed",
                "reason": "kafka: no broker answers",
                "parts": {
                    "kafka": {"status": "failed", "reason": "no broker answers"},
                    "mail": {"status": "ok"},
                },
            })
        );
    }
}
