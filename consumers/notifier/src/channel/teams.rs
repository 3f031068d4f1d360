//! Microsoft Teams, by a workflow's webhook ("When a Teams webhook request is received"): an Adaptive Card.

use reqwest::header::HeaderMap;
use serde_json::json;

use super::truncate::{USER_ID_LIMIT, truncate};
use crate::event::Event;
use crate::failure::Failure;
use crate::network::Endpoint;

/// The longest body in bytes: Teams refuses more than 28 KB.
const BODY_LIMIT: usize = 28_000;

/// The channel for Teams.
pub(crate) struct Teams(Endpoint);

impl Teams {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self(endpoint)
    }

    pub(super) async fn send(&self, event: &Event<'_>) -> Result<(), Failure> {
        self.0.post(body(event), HeaderMap::new()).await
    }
}

/// The card, its message truncated to the limit.
fn body(event: &Event<'_>) -> String {
    let user_id = truncate(event.user_id, USER_ID_LIMIT, |_| 1);
    let limit = BODY_LIMIT.saturating_sub(card(&user_id, "").len());
    card(&user_id, &truncate(event.message, limit, json_length))
}

/// The bytes of a character in a JSON string.
fn json_length(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..' ' => 6,
        _ => character.len_utf8(),
    }
}

/// A card of text runs, which show plain text; a text block would render Markdown.
fn card(user_id: &str, message: &str) -> String {
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
        "body": [line(user_id, "bolder"), line(message, "default")],
    });
    json!({
        "type": "message",
        "attachments": [{ "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card }],
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::tests::EXAMPLE;

    #[test]
    fn a_card_shows_user_and_message_as_plain_text() {
        let body = body(&Event { message: "**not bold** [no](http://link) \"<b>\"\nsecond", ..EXAMPLE });
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let card = &body["attachments"][0]["content"];
        assert_eq!(body["attachments"][0]["contentType"], "application/vnd.microsoft.card.adaptive");
        assert_eq!(card["body"][0]["inlines"][0]["text"], "12345");
        assert_eq!(card["body"][1]["inlines"][0]["text"], "**not bold** [no](http://link) \"<b>\"\nsecond");
        assert!(card["body"].as_array().unwrap().iter().all(|block| block["type"] == "RichTextBlock"));
    }

    #[test]
    fn a_message_occurs_once_in_a_card() {
        assert_eq!(body(&EXAMPLE).matches(EXAMPLE.message).count(), 1);
    }

    #[test]
    fn a_long_message_is_cut_to_teams_limit_and_marked() {
        for message in ["x".repeat(30_000), "\u{1}\n\"".repeat(10_000), "日本".repeat(10_000)] {
            let user_id = "\0".repeat(10_000);
            let body = body(&Event { user_id: &user_id, message: &message, ..EXAMPLE });
            assert!((27_990..=28_000).contains(&body.len()), "{}", body.len());
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            let blocks = &body["attachments"][0]["content"]["body"];
            let text = |block: usize| blocks[block]["inlines"][0]["text"].as_str().unwrap().to_owned();
            assert!(text(0).ends_with("… [truncated]") && text(1).ends_with("… [truncated]"));
            assert!(message.starts_with(text(1).trim_end_matches("… [truncated]")));
        }
    }

    proptest! {
        #[test]
        fn json_length_is_the_length_in_json(text: String) {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(json.len(), 2 + text.chars().map(json_length).sum::<usize>());
        }
    }
}
