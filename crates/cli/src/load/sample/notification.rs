//! Notifications of about 200 bytes.

use rand::RngExt as _;
use serde::Serialize;

use super::Draw;

#[derive(Debug, Serialize)]
pub(in super::super) struct Notification {
    user_id: String,
    message: String,
}

impl Notification {
    pub(super) fn draw(draw: &mut Draw<'_>) -> Self {
        let user_id = draw.population.user(&mut draw.random);
        let parcel: u32 = draw.random.random_range(100_000_000..1_000_000_000);
        let hour: u8 = draw.random.random_range(8..18);
        let message = match draw.random.random_range(0..4_u8) {
            0 => format!(
                "Your parcel {parcel} left our warehouse and arrives tomorrow between {hour}:00 and \
                 {}:00. You can follow it, or choose another day, on your account's page.",
                hour + 2
            ),
            1 => format!(
                "We could not hand over parcel {parcel} today at {hour}:30 because nobody was at home. \
                 It waits for you at the nearest shop for seven days; please bring your passport."
            ),
            2 => format!(
                "A new device signed in to your account at {hour}:15 (reference {parcel}). If that was \
                 you there is nothing to do; if not, change your password and sign out everywhere."
            ),
            _ => format!(
                "Good news: the article {parcel} on your wish list is back in stock and a little cheaper \
                 than before. We keep one aside for you until {hour}:00, there is no need to hurry."
            ),
        };
        Self { user_id, message }
    }
}

#[cfg(test)]
mod tests {
    use crate::load::kind::Kind;
    use crate::load::sample::{Samples, noon};

    #[test]
    fn a_notification_is_about_200_bytes() {
        let samples = Samples::new(Kind::Notification, 3, noon);
        for number in 0..200 {
            let json = serde_json::to_string(&samples.event(number)).expect("a sample is JSON");
            assert!((170..=230).contains(&json.len()), "{}: {json}", json.len());
        }
    }
}
