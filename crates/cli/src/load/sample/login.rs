//! Logins, some of them without a device, as older clients send them.

use rand::RngExt as _;
use serde::Serialize;

use super::{Draw, population};

/// Logins per hundred without `device_type`.
const WITHOUT_DEVICE: u32 = 4;

#[derive(Debug, Serialize)]
pub(in super::super) struct Login {
    user_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_type: Option<&'static str>,
    ip: String,
    locale: &'static str,
    /// Unix seconds.
    timestamp: i64,
}

impl Login {
    pub(super) fn draw(draw: &mut Draw<'_>) -> Self {
        let device = draw.population.device(&mut draw.random);
        let lacks_device = draw.random.random_ratio(WITHOUT_DEVICE, 100);
        Self {
            user_id: draw.population.user(&mut draw.random),
            device_type: (!lacks_device).then_some(device),
            ip: population::address(&mut draw.random),
            locale: draw.population.locale(&mut draw.random),
            timestamp: draw.time().as_second(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::load::kind::Kind;
    use crate::load::sample::{Samples, noon};

    #[test]
    fn about_four_percent_of_logins_lack_the_device() {
        let samples = Samples::new(Kind::Login, 3, noon);
        let lacking = (0..10_000)
            .filter(|number| {
                let login = serde_json::to_value(samples.event(*number)).expect("a sample is JSON");
                assert!(login["timestamp"].is_i64());
                login.get("device_type").is_none()
            })
            .count();
        assert!((300..500).contains(&lacking), "{lacking}");
    }
}
