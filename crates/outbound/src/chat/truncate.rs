//! Truncation of text to a chat's limit, with a mark at its end. Pure.

use std::borrow::Cow;

/// Ends a truncated text.
const MARK: &str = "… [truncated]";

/// The longest title above a text, in characters.
pub(super) const TITLE_LIMIT: usize = 256;

/// `text`, or its beginning and a mark where its characters cost more than `limit`.
pub fn truncate(text: &str, limit: usize, cost: impl Fn(char) -> usize) -> Cow<'_, str> {
    let available = limit.saturating_sub(MARK.chars().map(&cost).sum());
    let (mut spent, mut end) = (0, 0);
    for (at, character) in text.char_indices() {
        if spent <= available {
            end = at;
        }
        spent += cost(character);
        if spent > limit {
            return Cow::Owned(format!("{}{MARK}", &text[..end]));
        }
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_within_the_limit_stays_and_a_longer_one_is_marked() {
        assert_eq!(truncate("twenty characters...", 20, |_| 1), "twenty characters...");
        assert_eq!(truncate("twenty-one characters", 20, |_| 1), "twenty-… [truncated]");
        assert_eq!(truncate("ééééééééé", 17, char::len_utf8), "é… [truncated]");
        assert_eq!(truncate("", 0, |_| 1), "");
    }

    proptest! {
        #[test]
        fn the_result_fits_and_no_more_is_cut_than_needed(text: String, limit in 13usize..60) {
            let cut = truncate(&text, limit, |_| 1);
            let (length, kept) = (text.chars().count(), cut.chars().count());
            prop_assert_eq!(kept, length.min(limit));
            prop_assert_eq!(cut == text, length <= limit);
        }
    }
}
