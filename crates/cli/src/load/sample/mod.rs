//! Realistic events out of a seed.
//!
//! Event `n` of a seed is the same bytes whenever and by whichever connection it is sent, so two
//! runs with one seed compare. Times, too, come from the number and not from the clock.

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

/// How many seeds have orders of their own: larger ones share the order ids of smaller ones.
pub(super) const SEEDS: u64 = order::SEEDS;

/// When event 0 happened: 2026-01-01T00:00:00Z, in Unix milliseconds.
const EPOCH: i64 = 1_767_225_600_000;

/// Milliseconds between two events.
const STEP: i64 = 20;

/// Events until the times begin again: a year of them.
const YEAR: u64 = 365 * 24 * 3_600 * 1_000 / STEP.cast_unsigned();

/// One event's JSON, and what an envelope around it needs to know.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Sample {
    Notification(notification::Notification),
    Event(event::Event),
    Order(order::Order),
    Login(login::Login),
    Log(log::Log),
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
}

/// What an event is drawn from: its number, its own random source and the population.
struct Draw<'a> {
    seed: u64,
    number: u64,
    random: Xoshiro256PlusPlus,
    population: &'a Population,
}

impl Samples {
    /// The events of `kind` that `seed` stands for.
    pub(super) fn new(kind: Kind, seed: u64) -> Self {
        Self { kind, seed, population: Population::new() }
    }

    /// Event `number`.
    pub(super) fn event(&self, number: u64) -> Sample {
        let mut draw = self.draw(number);
        match self.kind {
            Kind::Notification => Sample::Notification(notification::Notification::draw(&mut draw)),
            Kind::Event => Sample::Event(event::Event::draw(&mut draw)),
            Kind::Order => Sample::Order(order::Order::draw(&mut draw)),
            Kind::Login => Sample::Login(login::Login::draw(&mut draw)),
            Kind::Log => Sample::Log(log::Log::draw(&mut draw)),
        }
    }

    /// The id under which event `number` travels in an envelope: distinct across kinds and seeds.
    pub(super) fn id(&self, number: u64) -> String {
        format!("load-{}-{:x}-{number}", self.kind.name(), self.seed)
    }

    /// The service whose log a request beginning with line `number` carries.
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
        }
    }
}

impl Draw<'_> {
    /// When this event happened.
    fn time(&self) -> Timestamp {
        Timestamp::from_millisecond(EPOCH + STEP * (self.number % YEAR).cast_signed())
            .expect("a time within the year is within the calendar")
    }
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
    fn a_seed_stands_for_the_same_events_every_time() {
        for kind in Kind::value_variants() {
            let (one, same, other) = (Samples::new(*kind, 7), Samples::new(*kind, 7), Samples::new(*kind, 8));
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
                let samples = Samples::new(*kind, seed);
                for number in 0..20 {
                    assert!(ids.insert(samples.id(number)));
                }
            }
        }
    }

    #[test]
    fn times_advance_with_the_number_from_the_first_of_january() {
        let samples = Samples::new(Kind::Login, 1);
        assert_eq!(samples.draw(0).time().to_string(), "2026-01-01T00:00:00Z");
        assert!(samples.draw(5_000).time() > samples.draw(100).time());
        assert!(samples.draw(u64::MAX).time() > samples.draw(0).time());
    }
}
