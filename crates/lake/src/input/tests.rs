use std::io::Write;

use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

/// The lines of an input, as owned texts; what is no text as its kind.
fn lines(bytes: &[u8]) -> (Vec<String>, Option<io::ErrorKind>) {
    let mut lines = Lines::new(open(bytes).expect("the input opens"));
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        found.push(match line {
            Line::Text(text, None) => text.into_owned(),
            Line::Text(text, Some(encoding)) => format!("[{encoding}] {text}"),
            Line::Binary(bytes) => format!("[binary {}]", bytes.len()),
            Line::Cut(bytes) => format!("[cut {}]", bytes.len()),
            Line::Piece { bytes, ends } => format!("[piece {} {ends}]", bytes.len()),
        });
    }
    (found, lines.failure().map(|error| error.kind()))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn compressions_of_one_member_or_many_are_taken_off() {
    let expected = vec!["one".to_owned(), "two".to_owned()];
    let members = [gzip(b"one\n"), gzip(b"two\n")].concat();
    let frames =
        [zstd::encode_all(&b"one\n"[..], 1).expect("memory"), zstd::encode_all(&b"two\n"[..], 1).expect("memory")]
            .concat();
    for input in [b"one\ntwo".to_vec(), gzip(b"one\ntwo\n"), members, frames] {
        assert_eq!(lines(&input), (expected.clone(), None));
    }
}

#[test]
fn lines_before_the_end_of_a_truncated_gzip_are_read() {
    let whole = gzip(&b"one\ntwo\n".repeat(10_000));
    let (found, failure) = lines(&whole[..whole.len() - 10]);
    assert_eq!(failure, Some(io::ErrorKind::UnexpectedEof));
    assert!(found.len() > 19_000, "{} lines", found.len());
    let last = found.len() - 1;
    assert!(found.iter().take(last).all(|line| line == "one" || line == "two"));
}

#[test]
fn an_empty_input_has_no_line() {
    for input in [Vec::new(), gzip(b"")] {
        assert_eq!(lines(&input), (Vec::new(), None));
    }
}

#[test]
fn encodings_are_read_as_text() {
    let utf16 = |order: fn(u16) -> [u8; 2]| "\u{feff}café\nzwei".encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let expected = vec!["café".to_owned(), "zwei".to_owned()];
    for input in
        [utf16(u16::to_le_bytes), utf16(u16::to_be_bytes), "\u{feff}café\r\nzwei\r\n".into(), "café\nzwei\0".into()]
    {
        assert_eq!(lines(&input), (expected.clone(), None), "{input:?}");
    }
    assert_eq!(lines(b"caf\xE9 au lait\n").0, ["[windows-1252] café au lait"]);
    assert_eq!(lines(b"caf\xC3\xA9 was cut at \xC3\n").0, ["[invalid utf-8] café was cut at \u{fffd}"]);
}

#[test]
fn bytes_that_are_no_text_are_told_apart() {
    assert_eq!(lines(b"\x00\x01\x02\xFFabc\ntext\n").0, ["[binary 7]", "text"]);
    assert_eq!(lines(b"\x01\x02\x03\x04\n\t\ttabs\t\n").0, ["[binary 4]", "\t\ttabs\t"]);
    assert_eq!(lines(b"2026/11/30 04:30:48 [info] request: \"\x16\x03\x00\xFC\x90\"\n").0.len(), 1);
    assert!(lines(b"2026/11/30 04:30:48 [info] request: \"\x16\x03\x00\xFC\x90\"\n").0[0].contains("04:30:48 [info]"));
}

#[test]
fn a_line_over_the_limit_comes_in_pieces() {
    let mut input = vec![b'x'; 10 << 20];
    input.extend(b"\nnext\n");
    let (found, _) = lines(&input);
    assert_eq!(found.last().map(String::as_str), Some("next"));
    let pieces = &found[..found.len() - 1];
    assert!(pieces.iter().all(|piece| piece.starts_with("[piece ")), "{pieces:?}");
    assert_eq!(pieces.iter().filter(|piece| piece.ends_with(" true]")).count(), 1);
    let exactly = [vec![b'x'; LINE_LIMIT], b"\nnext".to_vec()].concat();
    assert_eq!(lines(&exactly).0.len(), 2);
    assert!(!lines(&exactly).0[0].starts_with('['));
}

proptest! {
    /// Whatever is read: the pieces are the bytes, and no line is lost.
    #[test]
    fn texts_are_split_at_line_feeds_alone(texts in prop::collection::vec("[^\\x00-\\x08\\x0a-\\x1f]{0,40}", 0..40)) {
        prop_assume!(texts.first().is_none_or(|text| !text.starts_with('\u{feff}')));
        let input = texts.iter().fold(String::new(), |input, text| input + text + "\n");
        prop_assert_eq!(lines(input.as_bytes()).0, texts);
    }
}
