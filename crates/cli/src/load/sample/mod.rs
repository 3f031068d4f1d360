//! Realistic events generated from a seed.
//!
//! Event `n` of a seed is the same, except for its timestamp, whenever and on whichever connection it is sent, so runs
//! with one seed are comparable. Its timestamp is the time of generation, so that what is aggregated by event time
//! shows up as current.

mod event;
mod log;
mod login;
mod notification;
mod order;
mod population;

use jiff::Timestamp;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use serde::Serialize;

use super::kind::Kind;
use population::Population;

/// Number of seeds with distinct order ids: larger seeds share those of smaller ones.
pub(super) const SEEDS: u64 = order::SEEDS;

/// Returns the current time.
pub(super) type Clock = fn() -> Timestamp;

/// The data of one event, serialized as JSON.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Sample {
    Notification(notification::Notification),
    Event(event::Event),
    Order(order::Order),
    Login(login::Login),
    /// A line as its logger writes it, which may be JSON and may not.
    Log(String),
}

impl Sample {
    /// The `CloudEvents` type under which the edge routes this event.
    pub(super) fn event_type(&self) -> &'static str {
        match self {
            Self::Notification(_) => "millrace.notification.requested",
            Self::Event(event) => event.event_type(),
            Self::Order(_) => "millrace.order.placed",
            Self::Login(_) => "millrace.login.seen",
            Self::Log(_) => "millrace.log.written",
        }
    }
}

/// All events of one kind and one seed.
#[derive(Debug)]
pub(super) struct Samples {
    kind: Kind,
    seed: u64,
    population: Population,
    clock: Clock,
    /// Part of the ids of events with timestamps: in another run these are other events.
    start: Timestamp,
}

/// Inputs of one event: its number, its random source, the population and the clock.
struct Draw<'a> {
    seed: u64,
    number: u64,
    random: Xoshiro256PlusPlus,
    population: &'a Population,
    clock: Clock,
    /// When the run began.
    start: Timestamp,
}

impl Samples {
    /// The events of `kind` for `seed`, with timestamps of `clock`.
    pub(super) fn new(kind: Kind, seed: u64, clock: Clock) -> Self {
        Self { kind, seed, population: Population::new(), clock, start: clock() }
    }

    /// Event `number`.
    pub(super) fn event(&self, number: u64) -> Sample {
        let mut draw = self.draw(number);
        match self.kind {
            Kind::Notification => Sample::Notification(notification::Notification::draw(&mut draw)),
            Kind::Event => Sample::Event(event::Event::draw(&mut draw)),
            Kind::Order => Sample::Order(order::Order::draw(&mut draw)),
            Kind::Login => Sample::Login(login::Login::draw(&mut draw)),
            Kind::Log => Sample::Log(log::line(&mut draw, self.service(number))),
        }
    }

    /// The `CloudEvents` id of event `number`: distinct across kinds and seeds, and for events with timestamps also
    /// across runs. Two bodies under one id would be a conflict.
    pub(super) fn id(&self, number: u64) -> String {
        let (kind, seed) = (self.kind.name(), self.seed);
        if self.kind.has_time() {
            format!("load-{kind}-{seed:x}-{:x}-{number}", self.start.as_millisecond())
        } else {
            format!("load-{kind}-{seed:x}-{number}")
        }
    }

    /// Line `number`, of this service.
    pub(super) fn log(&self, number: u64, service: &str) -> String {
        log::line(&mut self.draw(number), service)
    }

    /// The service of a request that begins with log line `number`.
    pub(super) fn service(&self, number: u64) -> &'static str {
        let mut draw = self.draw(number);
        self.population.service(&mut draw.random)
    }

    fn draw(&self, number: u64) -> Draw<'_> {
        Draw {
            seed: self.seed,
            number,
            // Seeds in the upper half, numbers in the lower: no two events share a random source.
            random: Xoshiro256PlusPlus::seed_from_u64(self.seed.rotate_left(32) ^ number),
            population: &self.population,
            clock: self.clock,
            start: self.start,
        }
    }
}

impl Draw<'_> {
    /// When this event happened.
    fn time(&self) -> Timestamp {
        (self.clock)()
    }
}

/// A clock for tests: noon of 31 January 2026, always.
#[cfg(test)]
pub(super) fn noon() -> Timestamp {
    Timestamp::from_second(1_769_860_800).expect("a time within the calendar")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;
    use std::collections::HashSet;

    fn json(samples: &Samples, number: u64) -> serde_json::Value {
        serde_json::to_value(samples.event(number)).expect("a sample is JSON")
    }

    #[test]
    fn a_seed_gives_the_same_events_every_time() {
        for kind in Kind::value_variants() {
            let (one, same, other) =
                (Samples::new(*kind, 7, noon), Samples::new(*kind, 7, noon), Samples::new(*kind, 8, noon));
            for number in 0..50 {
                assert_eq!(json(&one, number), json(&same, number));
            }
            assert!((0..50).any(|number| json(&one, number) != json(&other, number)), "{kind:?}");
        }
    }

    #[test]
    fn ids_differ_between_numbers_seeds_and_kinds() {
        let mut ids = HashSet::new();
        for kind in Kind::value_variants() {
            for seed in [1, 2, 11] {
                let samples = Samples::new(*kind, seed, noon);
                for number in 0..20 {
                    assert!(ids.insert(samples.id(number)));
                }
            }
        }
    }

    #[test]
    fn the_timestamp_of_an_event_is_the_clocks() {
        for kind in [Kind::Login, Kind::Event] {
            let samples = Samples::new(kind, 1, noon);
            for number in [0, 5_000, u64::MAX] {
                let time = &json(&samples, number)["timestamp"];
                let is_noon = time == "2026-01-31T12:00:00Z" || time == noon().as_second();
                assert!(is_noon && kind.has_time(), "{kind:?}: {time}");
            }
        }
    }

    #[test]
    fn an_id_names_one_body_in_every_run() {
        let later = || noon() + jiff::SignedDuration::from_secs(1);
        for kind in Kind::value_variants() {
            let (first, second) = (Samples::new(*kind, 7, noon), Samples::new(*kind, 7, later));
            assert_eq!(first.id(3) == second.id(3), json(&first, 3) == json(&second, 3), "{kind:?}");
        }
    }
}
