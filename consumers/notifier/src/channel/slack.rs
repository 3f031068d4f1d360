//! Slack, by an incoming webhook.

use reqwest::header::HeaderMap;
use serde_json::json;

use super::truncate::{LONGEST_USER_ID, truncate};
use crate::event::Event;
use crate::failure::Failure;
use crate::network::Endpoint;

/// The longest text that Slack shows whole, in characters (counted as UTF-16 code units, which are never fewer).
const LIMIT: usize = 40_000;

/// See the module's text.
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
    let user = format!("*{}*: ", escape(&truncate(event.user_id, LONGEST_USER_ID, |_| 1)));
    let room = LIMIT.saturating_sub(user.encode_utf16().count());
    let text = user + &escape(&truncate(event.message, room, escaped_length));
    json!({ "text": text, "unfurl_links": false }).to_string()
}

/// Slack's three control characters, as its "Formatting text for app surfaces" says: with them escaped, text can
/// neither mention people nor hide where a link leads.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// How long a character is once it is [escaped](escape).
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
    fn a_long_message_is_cut_with_a_mark_to_what_slack_takes() {
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
        fn the_length_of_what_is_escaped_is_known(text: String) {
            prop_assert_eq!(escape(&text).encode_utf16().count(), text.chars().map(escaped_length).sum::<usize>());
        }
    }
}
