//! Slack, by incoming webhook.

use reqwest::header::HeaderMap;
use serde_json::json;

use super::truncate::{USER_ID_LIMIT, truncate};
use crate::event::Event;
use crate::failure::Failure;
use crate::network::Endpoint;

/// The longest text that Slack does not truncate, in characters (counted as UTF-16 code units, which are never fewer).
const TEXT_LIMIT: usize = 40_000;

/// The channel for Slack.
pub(crate) struct Slack(Endpoint);

impl Slack {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self(endpoint)
    }

    pub(super) async fn send(&self, event: &Event<'_>) -> Result<(), Failure> {
        self.0.post(body(event), HeaderMap::new()).await
    }
}

fn body(event: &Event<'_>) -> String {
    let user = format!("*{}*: ", escape(&truncate(event.user_id, USER_ID_LIMIT, |_| 1)));
    let limit = TEXT_LIMIT.saturating_sub(user.encode_utf16().count());
    let text = user + &escape(&truncate(event.message, limit, escaped_length));
    json!({ "text": text, "unfurl_links": false }).to_string()
}

/// Escapes Slack's three control characters ("Formatting text for app surfaces"), so that text can neither mention people
/// nor hide a link's target.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The length of a character after [`escape`].
fn escaped_length(character: char) -> usize {
    match character {
        '&' => "&amp;".len(),
        '<' | '>' => "&lt;".len(),
        _ => character.len_utf16(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::tests::EXAMPLE;

    #[test]
    fn a_message_cannot_mention_or_link() {
        let body = body(&Event { user_id: "<@U1>", message: "<!channel> a & b \"<http://x|y>\"", ..EXAMPLE });
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["text"], "*&lt;@U1&gt;*: &lt;!channel&gt; a &amp; b \"&lt;http://x|y&gt;\"");
    }

    #[test]
    fn a_long_message_is_cut_to_slacks_limit_and_marked() {
        for message in ["x".repeat(50_000), "<&>".repeat(20_000), "😀".repeat(30_000)] {
            let user_id = "&".repeat(10_000);
            let body = body(&Event { user_id: &user_id, message: &message, ..EXAMPLE });
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            let text = body["text"].as_str().unwrap();
            let length = text.encode_utf16().count();
            assert!((39_990..=40_000).contains(&length) && text.ends_with("… [truncated]"), "{length}");
        }
    }

    proptest! {
        #[test]
        fn escaped_length_is_the_length_after_escape(text: String) {
            prop_assert_eq!(escape(&text).encode_utf16().count(), text.chars().map(escaped_length).sum::<usize>());
        }
    }
}
