//! The console line of a notification.

use std::fmt::Write as _;

use anstyle::Style as Ansi;

use crate::event::Event;

/// The style of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Plain text.
    Plain,
    /// ANSI colours, for a terminal.
    Coloured,
}

/// Formats time, user id, message and id as a line, with its line break.
pub(super) fn format(event: &Event<'_>, style: Style) -> String {
    let (dim, bold) = match style {
        Style::Plain => (Ansi::new(), Ansi::new()),
        Style::Coloured => (Ansi::new().dimmed(), Ansi::new().bold()),
    };
    let mut line = String::with_capacity(96 + event.user_id.len() + event.message.len() + event.id.len());
    // Writing to a string does not fail.
    let _ = write!(line, "{dim}{:.3}{dim:#}  {bold}", event.time);
    visible(event.user_id, &mut line);
    let _ = write!(line, "{bold:#}  ");
    visible(event.message, &mut line);
    let _ = write!(line, "  {dim}");
    visible(event.id, &mut line);
    let _ = writeln!(line, "{dim:#}");
    line
}

/// Appends untrusted text. Characters that move the cursor, break the line or reorder it are escaped.
fn visible(text: &str, line: &mut String) {
    for character in text.chars() {
        let is_misleading =
            matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || is_misleading {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::EXAMPLE;

    #[test]
    fn a_line_has_time_user_message_and_id() {
        assert_eq!(
            format(&EXAMPLE, Style::Plain),
            "2026-01-31T12:00:00.000Z  12345  Your order has shipped  0198c5a0-0000-7000-8000-000000000001\n"
        );
        let coloured = format(&EXAMPLE, Style::Coloured);
        assert!(coloured.contains("\u{1b}[1m12345\u{1b}[0m"), "{coloured:?}");
    }

    #[test]
    fn a_message_cannot_break_its_line_or_control_the_terminal() {
        let line = format(&Event { message: "a\r\nb\u{1b}[2Jc\u{9b}d\u{202e}é 日本", ..EXAMPLE }, Style::Plain);
        assert_eq!(line.lines().count(), 1);
        assert!(line.contains(r"a\r\nb\u{1b}[2Jc\u{9b}d\u{202e}é 日本"), "{line}");
    }
}
