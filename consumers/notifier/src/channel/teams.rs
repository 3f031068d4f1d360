//! Microsoft Teams, by the webhook of a workflow ("When a Teams webhook request is received"): an Adaptive Card.

use reqwest::header::HeaderMap;
use serde_json::json;

use crate::event::Event;
use crate::failure::Failure;
use crate::network::Endpoint;

/// See the module's text.
pub(crate) struct Teams(Endpoint);

impl Teams {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self(endpoint)
    }

    pub(super) async fn send(&self, event: &Event<'_>) -> Result<(), Failure> {
        self.0.post(body(event), HeaderMap::new()).await
    }
}

/// A card of text runs: they show text as it is, where a text block would read it as Markdown.
fn body(event: &Event<'_>) -> String {
    let line = |text: &str, weight: &str| {
        json!({
            "type": "RichTextBlock",
            "inlines": [{ "type": "TextRun", "text": text, "weight": weight }],
        })
    };
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": event.message,
        "body": [line(event.user_id, "bolder"), line(event.message, "default")],
    });
    json!({
        "type": "message",
        "attachments": [{ "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card }],
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::EXAMPLE;

    #[test]
    fn a_card_shows_the_user_and_the_message_as_they_are() {
        let body = body(&Event { message: "**not bold** [no](http://link) \"<b>\"\nsecond", ..EXAMPLE });
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let card = &body["attachments"][0]["content"];
        assert_eq!(body["attachments"][0]["contentType"], "application/vnd.microsoft.card.adaptive");
        assert_eq!(card["body"][0]["inlines"][0]["text"], "12345");
        assert_eq!(card["body"][1]["inlines"][0]["text"], "**not bold** [no](http://link) \"<b>\"\nsecond");
        assert!(card["body"].as_array().unwrap().iter().all(|block| block["type"] == "RichTextBlock"));
    }
}
