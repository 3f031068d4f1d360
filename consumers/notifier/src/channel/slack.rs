//! Slack, by an incoming webhook.

use reqwest::header::HeaderMap;
use serde_json::json;

use crate::event::Event;
use crate::failure::Failure;
use crate::network::Endpoint;

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
    let text = format!("*{}*: {}", escape(event.user_id), escape(event.message));
    json!({ "text": text, "unfurl_links": false }).to_string()
}

/// Slack's three control characters, as its "Formatting text for app surfaces" says: with them escaped, text can
/// neither mention people nor hide where a link leads.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::EXAMPLE;

    #[test]
    fn a_message_cannot_mention_or_link() {
        let body = body(&Event { user_id: "<@U1>", message: "<!channel> a & b \"<http://x|y>\"", ..EXAMPLE });
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["text"], "*&lt;@U1&gt;*: &lt;!channel&gt; a &amp; b \"&lt;http://x|y&gt;\"");
    }
}
