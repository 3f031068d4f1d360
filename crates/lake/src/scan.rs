//! A position in a line, for readers of fixed forms.

/// A position in a text; what is read moves it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Offset of the next byte.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn reset(&mut self, position: usize) {
        self.at = position;
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.peek_at(0)
    }

    pub(crate) fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn skip(&mut self, bytes: usize) {
        self.at += bytes;
    }

    pub(crate) fn back(&mut self, bytes: usize) {
        self.at -= bytes;
    }

    /// Reads this byte.
    pub(crate) fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    pub(crate) fn skip_blanks(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    /// Reads all digits from here on.
    pub(crate) fn digits(&mut self) -> &'a str {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Reads a number of exactly `digits` digits, at most nine.
    #[inline]
    pub(crate) fn number(&mut self, digits: usize) -> Option<i32> {
        let bytes = self.text.as_bytes().get(self.at..self.at + digits)?;
        let mut value = 0;
        for &byte in bytes {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value * 10 + i32::from(digit);
        }
        self.at += digits;
        Some(value)
    }

    /// Reads a number of one to `limit` digits.
    pub(crate) fn number_up_to(&mut self, limit: usize) -> Option<i32> {
        let digits = self.rest().bytes().take(limit).take_while(u8::is_ascii_digit).count();
        if digits == 0 { None } else { self.number(digits) }
    }

    /// Reads the English three letters of a month.
    pub(crate) fn month(&mut self) -> Option<i32> {
        let month = match self.text.as_bytes().get(self.at..self.at + 3)? {
            b"Jan" => 1,
            b"Feb" => 2,
            b"Mar" => 3,
            b"Apr" => 4,
            b"May" => 5,
            b"Jun" => 6,
            b"Jul" => 7,
            b"Aug" => 8,
            b"Sep" => 9,
            b"Oct" => 10,
            b"Nov" => 11,
            b"Dec" => 12,
            _ => return None,
        };
        self.at += 3;
        Some(month)
    }
}
