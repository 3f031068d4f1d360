//! Reads lines from a pipe.

use std::io::{self, BufRead};

use tokio::sync::mpsc;

use super::line::{self, Line};

/// Lines read ahead; beyond it the writer of the pipe blocks.
pub(super) const READ_AHEAD_LIMIT: usize = 100;

/// A byte order mark in UTF-8: at the start of a stream it marks the encoding and is no part of the text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The lines of standard input; the channel closes at its end.
///
/// A detached thread reads them: a blocking read of a pipe would occupy the runtime, and may still be pending when the
/// process exits.
pub(super) fn lines() -> mpsc::Receiver<io::Result<Line>> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD_LIMIT);
    std::thread::spawn(move || read(io::stdin().lock(), |line| sender.blocking_send(line).is_ok()));
    receiver
}

/// Reads lines to the end, or until `take` returns false.
fn read(mut input: impl BufRead, mut take: impl FnMut(io::Result<Line>) -> bool) {
    for number in 1_u64.. {
        let mut bytes = Vec::new();
        let line = match input.read_until(b'\n', &mut bytes) {
            Ok(0) => return,
            Ok(_) => {
                let text = bytes.strip_prefix(BYTE_ORDER_MARK).filter(|_| number == 1).unwrap_or(&bytes);
                Ok(match str::from_utf8(text) {
                    Ok(text) => line::read(text),
                    Err(error) => Line::Wrong {
                        text: format!("line {number}"),
                        reason: format!("it is not UTF-8 after {} bytes", error.valid_up_to()),
                    },
                })
            }
            Err(error) => Err(error),
        };
        let is_over = line.is_err();
        if !take(line) || is_over {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        read(input, |line| {
            lines.push(line.unwrap());
            true
        });
        lines
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        let marked = lines("\u{feff}{\"order_id\": 203, \"amount\": 99999}\r\n101\n".as_bytes());
        let plain = lines(b"{\"order_id\": 203, \"amount\": 99999}\n101");
        assert_eq!(marked, plain);
        assert!(matches!(&marked[0], Line::Order(order) if order.id == "203"), "{marked:?}");
        let later = lines("101\n\u{feff}102\n".as_bytes());
        assert!(matches!(&later[1], Line::Wrong { reason, .. } if reason.contains("U+FEFF")), "{later:?}");
    }

    #[test]
    fn a_line_that_is_not_utf_8_is_rejected_by_its_number() {
        let mut input: Vec<u8> = (1..=100).flat_map(|id| format!("{id}\n").into_bytes()).collect();
        let position = input.windows(3).position(|bytes| bytes == b"57\n").unwrap();
        input[position] = 0xff;
        let lines = lines(&input);
        assert_eq!(lines.len(), 100);
        let wrong: Vec<_> = lines.iter().filter(|line| !matches!(line, Line::Order(_))).collect();
        assert!(
            matches!(&*wrong, [Line::Wrong { text, reason }] if text == "line 57" && reason.contains("UTF-8")),
            "{wrong:?}"
        );
    }
}
