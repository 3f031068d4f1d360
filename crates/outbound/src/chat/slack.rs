//! Slack, by incoming webhook.

use serde_json::json;

use super::truncate::{TITLE_LIMIT, truncate};

/// The longest text that Slack does not truncate, in characters (counted as UTF-16 code units, which are never fewer).
const TEXT_LIMIT: usize = 40_000;

/// A message of title and text, for an incoming webhook. The text is truncated to Slack's limit.
pub fn slack(title: &str, text: &str) -> String {
    let title = format!("*{}*: ", escape(&truncate(title, TITLE_LIMIT, |_| 1)));
    let limit = TEXT_LIMIT.saturating_sub(title.encode_utf16().count());
    let text = title + &escape(&truncate(text, limit, escaped_length));
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

    #[test]
    fn a_text_cannot_mention_or_link() {
        let body = slack("<@U1>", "<!channel> a & b \"<http://x|y>\"");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["text"], "*&lt;@U1&gt;*: &lt;!channel&gt; a &amp; b \"&lt;http://x|y&gt;\"");
    }

    #[test]
    fn a_long_text_is_cut_to_slacks_limit_and_marked() {
        for text in ["x".repeat(50_000), "<&>".repeat(20_000), "😀".repeat(30_000)] {
            let title = "&".repeat(10_000);
            let body = slack(&title, &text);
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
