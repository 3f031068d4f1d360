//! How often each caller may call.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::client_address::counted;

/// Who is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    /// A sender with a credential: its kind and its name.
    Sender(&'static str, Arc<str>),
    /// An address, where there is none.
    Address(IpAddr),
}

impl Caller {
    /// The caller at an address; one IPv6 network is one.
    pub(crate) fn at(address: IpAddr) -> Self {
        Self::Address(counted(address))
    }
}

/// A rate for each caller: requests a second, and so many at once after a pause.
pub struct RateLimit<C: Clock = DefaultClock> {
    limiter: RateLimiter<Caller, DefaultKeyedStateStore<Caller>, C, NoOpMiddleware<C::Instant>>,
    clock: C,
}

impl RateLimit {
    /// A limit of so many requests a second and burst.
    #[must_use]
    pub fn new(rate: NonZeroU32, burst: NonZeroU32) -> Self {
        Self::with_clock(rate, burst, DefaultClock::default())
    }
}

impl<C: Clock + Clone> RateLimit<C> {
    fn with_clock(rate: NonZeroU32, burst: NonZeroU32, clock: C) -> Self {
        let quota = Quota::per_second(rate).allow_burst(burst);
        let limiter = RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone());
        Self { limiter, clock }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// The time after which the caller may try again.
    pub(crate) fn count(&self, caller: &Caller) -> Result<(), Duration> {
        self.limiter.check_key(caller).map_err(|until| until.wait_time_from(self.clock.now()))
    }

    /// Forgets the callers that have not called for so long that they have all of their burst again.
    pub(crate) fn forget_idle(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

impl<C: Clock + Clone> std::fmt::Debug for RateLimit<C> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RateLimit").field("callers", &self.limiter.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    const fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    #[test]
    fn each_caller_has_a_burst_and_then_its_rate() {
        let clock = FakeRelativeClock::default();
        let limit = RateLimit::with_clock(number(10), number(3), clock.clone());
        let (shop, address) = (Caller::Sender("api_key", "shop".into()), Caller::at("203.0.113.7".parse().unwrap()));
        assert!((0..3).all(|_| limit.count(&shop).is_ok()));
        assert_eq!(limit.count(&shop), Err(Duration::from_millis(100)));
        assert!(limit.count(&address).is_ok(), "another caller");
        assert!(limit.count(&Caller::Sender("unknown", "shop".into())).is_ok(), "a token's subject is no key's name");
        clock.advance(Duration::from_millis(100));
        assert!(limit.count(&shop).is_ok());
        assert!(limit.count(&shop).is_err());
    }

    #[test]
    fn idle_callers_are_forgotten() {
        let clock = FakeRelativeClock::default();
        let limit = RateLimit::with_clock(number(1), number(1), clock.clone());
        for host in 0..=255 {
            limit.count(&Caller::at([203, 0, 113, host].into())).unwrap();
        }
        assert_eq!(limit.limiter.len(), 256);
        clock.advance(Duration::from_secs(3));
        limit.forget_idle();
        assert_eq!(limit.limiter.len(), 0);
    }
}
