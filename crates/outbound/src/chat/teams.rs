//! Microsoft Teams, by a workflow's webhook ("When a Teams webhook request is received"): an Adaptive Card.

use serde_json::json;

use super::truncate::{TITLE_LIMIT, truncate};

/// The longest body in bytes: Teams refuses more than 28 KB.
const BODY_LIMIT: usize = 28_000;

/// A card of title and text, for a workflow's webhook. The text is truncated to Teams' limit.
pub fn teams(title: &str, text: &str) -> String {
    let title = truncate(title, TITLE_LIMIT, |_| 1);
    let limit = BODY_LIMIT.saturating_sub(card(&title, "").len());
    card(&title, &truncate(text, limit, json_length))
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
fn card(title: &str, text: &str) -> String {
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
        "body": [line(title, "bolder"), line(text, "default")],
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

    #[test]
    fn a_card_shows_title_and_text_as_plain_text() {
        let body = teams("12345", "**not bold** [no](http://link) \"<b>\"\nsecond");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let card = &body["attachments"][0]["content"];
        assert_eq!(body["attachments"][0]["contentType"], "application/vnd.microsoft.card.adaptive");
        assert_eq!(card["body"][0]["inlines"][0]["text"], "12345");
        assert_eq!(card["body"][1]["inlines"][0]["text"], "**not bold** [no](http://link) \"<b>\"\nsecond");
        assert!(card["body"].as_array().unwrap().iter().all(|block| block["type"] == "RichTextBlock"));
    }

    #[test]
    fn a_text_occurs_once_in_a_card() {
        assert_eq!(teams("12345", "Your order has shipped").matches("Your order has shipped").count(), 1);
    }

    #[test]
    fn a_long_text_is_cut_to_teams_limit_and_marked() {
        for text in ["x".repeat(30_000), "\u{1}\n\"".repeat(10_000), "日本".repeat(10_000)] {
            let title = "\0".repeat(10_000);
            let body = teams(&title, &text);
            assert!((27_990..=28_000).contains(&body.len()), "{}", body.len());
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            let blocks = &body["attachments"][0]["content"]["body"];
            let shown = |block: usize| blocks[block]["inlines"][0]["text"].as_str().unwrap().to_owned();
            assert!(shown(0).ends_with("… [truncated]") && shown(1).ends_with("… [truncated]"));
            assert!(text.starts_with(shown(1).trim_end_matches("… [truncated]")));
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
