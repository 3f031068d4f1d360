//! Users, locales, devices and services of events: few are frequent, most rare, as in real traffic (Zipf's law).

use rand::distr::{Distribution, weighted::WeightedIndex};
use rand::{Rng, RngExt as _};

/// Number of users.
pub(super) const USERS: usize = 10_000;

/// The first user's id. Ids are numbers of five digits.
const FIRST_USER: usize = 10_000;

// Each list is ordered from the most to the least frequent.
const LOCALES: [&str; 16] = [
    "en-US", "en-GB", "de-DE", "es-ES", "fr-FR", "pt-BR", "en-IN", "ja-JP", "it-IT", "nl-NL", "pl-PL", "tr-TR",
    "sv-SE", "ko-KR", "cs-CZ", "fi-FI",
];
const DEVICES: [&str; 6] = ["android", "ios", "windows", "macos", "linux", "smart-tv"];
const SERVICES: [&str; 8] =
    ["checkout", "catalog", "gateway", "search", "payments", "accounts", "shipping", "recommendations"];

/// Ranks drawn by Zipf's law: rank k is k times rarer than the first.
#[derive(Debug)]
struct Zipf(WeightedIndex<f64>);

impl Zipf {
    fn over(ranks: usize) -> Self {
        let weights = (1..=ranks).scan(0.0, |rank, _| {
            *rank += 1.0;
            Some(1.0 / *rank)
        });
        Self(WeightedIndex::new(weights).expect("weights of at least one rank are positive"))
    }

    fn rank(&self, random: &mut impl Rng) -> usize {
        self.0.sample(random)
    }
}

/// Distributions of users, locales, devices and services.
#[derive(Debug)]
pub(super) struct Population {
    users: Zipf,
    locales: Zipf,
    devices: Zipf,
    services: Zipf,
}

impl Population {
    pub(super) fn new() -> Self {
        Self {
            users: Zipf::over(USERS),
            locales: Zipf::over(LOCALES.len()),
            devices: Zipf::over(DEVICES.len()),
            services: Zipf::over(SERVICES.len()),
        }
    }

    /// A user's id.
    pub(super) fn user(&self, random: &mut impl Rng) -> String {
        (FIRST_USER + self.users.rank(random)).to_string()
    }

    /// A BCP 47 language tag.
    pub(super) fn locale(&self, random: &mut impl Rng) -> &'static str {
        LOCALES[self.locales.rank(random)]
    }

    pub(super) fn device(&self, random: &mut impl Rng) -> &'static str {
        DEVICES[self.devices.rank(random)]
    }

    pub(super) fn service(&self, random: &mut impl Rng) -> &'static str {
        SERVICES[self.services.rank(random)]
    }
}

/// An IPv4 address in 198.18.0.0/15, which RFC 2544 reserves for benchmarks.
pub(super) fn address(random: &mut impl Rng) -> String {
    let [a, b, c]: [u8; 3] = random.random();
    format!("198.{}.{b}.{c}", 18 + (a & 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::Xoshiro256PlusPlus;
    use std::collections::HashMap;

    #[test]
    fn few_users_are_frequent_and_most_appear() {
        let population = Population::new();
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut seen: HashMap<String, u32> = HashMap::new();
        for _ in 0..100_000 {
            *seen.entry(population.user(&mut random)).or_default() += 1;
        }
        let busiest = seen["10000"];
        assert!((8_000..13_000).contains(&busiest), "{busiest}");
        assert!(seen.len() > USERS / 2, "{}", seen.len());
        assert!(seen.keys().all(|user| user.len() == 5));
    }

    #[test]
    fn addresses_are_in_the_benchmarking_network() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        for _ in 0..100 {
            let address: std::net::Ipv4Addr = address(&mut random).parse().expect("an IPv4 address");
            assert!(matches!(address.octets(), [198, 18 | 19, _, _]));
        }
    }
}
