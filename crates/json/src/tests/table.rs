//! Valid and invalid JSON texts.

use crate::{Document, ErrorKind, Kind, MAX_DEPTH};

const GOOD: &[(&[u8], Kind)] = &[
    // Values of each kind alone.
    (b"null", Kind::Null),
    (b"true", Kind::Bool),
    (b"false", Kind::Bool),
    (b"\"\"", Kind::String),
    (b"[]", Kind::Array),
    (b"{}", Kind::Object),
    // White space, all four characters, everywhere it is allowed.
    (b" \t\r\n null \t\r\n ", Kind::Null),
    (b"[ ]", Kind::Array),
    (b"{ }", Kind::Object),
    (b"\n{\n\"a\"\t:\r1 , \"b\" : [ 1 , 2 ]\n}\n", Kind::Object),
    // Numbers.
    (b"0", Kind::Integer),
    (b"-0", Kind::Integer),
    (b"7", Kind::Integer),
    (b"-12", Kind::Integer),
    (b"123456789012345678901234567890", Kind::Integer),
    (b"0.0", Kind::Float),
    (b"-0.0", Kind::Float),
    (b"1.50", Kind::Float),
    (b"1e3", Kind::Float),
    (b"1E3", Kind::Float),
    (b"1e+3", Kind::Float),
    (b"1E-3", Kind::Float),
    (b"0e0", Kind::Float),
    (b"-1.25e-10", Kind::Float),
    (b"1e00000000000000000001", Kind::Float),
    (b"1.7976931348623157e308", Kind::Float),
    (b"-1.7976931348623157e308", Kind::Float),
    (b"5e-324", Kind::Float),
    (b"1e-999", Kind::Float),
    (b"0e999", Kind::Float),
    (b"0.00000000000000000001e320", Kind::Float),
    // Strings.
    (br#""plain""#, Kind::String),
    (br#""\"\\\/\b\f\n\r\t""#, Kind::String),
    (br#""\u0000""#, Kind::String),
    (br#""\u0041\u00e9\u20AC\uFFFF""#, Kind::String),
    (br#""\uD83D\uDE00""#, Kind::String),
    (br#""\uDBFF\udfff""#, Kind::String),
    (br#""\\u0041""#, Kind::String),
    (br#""\\\\""#, Kind::String),
    ("\"\u{7f}\"".as_bytes(), Kind::String),
    ("\"é€😀\"".as_bytes(), Kind::String),
    ("\"\u{feff}\u{2028}\u{2029}\"".as_bytes(), Kind::String),
    ("\"\u{10ffff}\"".as_bytes(), Kind::String),
    (b"\"[{,:}] // not structure\"", Kind::String),
    // Arrays and objects.
    (b"[null]", Kind::Array),
    (b"[1,2,3]", Kind::Array),
    (b"[[],[[]],{}]", Kind::Array),
    (b"[{\"a\":1},{\"a\":2}]", Kind::Array),
    (b"{\"\":0}", Kind::Object),
    (b"{\"a\":1,\"b\":2}", Kind::Object),
    (b"{\"a\":1,\"A\":2,\"a \":3}", Kind::Object),
    (b"{\"a\":{\"a\":{\"a\":1}}}", Kind::Object),
    (b"{\"a\":[{\"b\":1},{\"b\":1}],\"b\":1}", Kind::Object),
    (br#"{"a\u0000":1,"a":2}"#, Kind::Object),
    // Two spellings of one letter are two names: names are not normalised.
    (br#"{"\u00e9":1,"e\u0301":2}"#, Kind::Object),
];

const BAD: &[&[u8]] = &[
    // Nothing, or too much.
    b"",
    b" \n\t",
    b"null null",
    b"{}{}",
    b"{},",
    b"[]]",
    b"{}}",
    b"1 2",
    b"{} x",
    b"{}\0",
    b"\"a\" \"b\"",
    b"\x0c[]",
    b"\x0b1",
    "\u{a0}1".as_bytes(),
    "[1]\u{2028}".as_bytes(),
    // Encodings.
    b"\xef\xbb\xbf{}",
    b"\xef\xbb\xbf",
    b"\xff\xfe{\0}\0",
    b"\xfe\xff\0{\0}",
    b"{\0}\0",
    b"\"\xff\"",
    b"\"\xc3\"",
    b"\"\xc0\x80\"",
    b"\"\xed\xa0\x80\"",
    b"\"\xf4\x90\x80\x80\"",
    b"[\"a\", \xe9]",
    b"{} \xc3\xa9\xc3",
    // Words.
    b"nul",
    b"nulll",
    b"Null",
    b"NULL",
    b"True",
    b"tru",
    b"falze",
    b"undefined",
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"abc",
    b"'a'",
    // Numbers.
    b"-",
    b"+1",
    b"- 1",
    b"--1",
    b"01",
    b"-01",
    b"00",
    b"1.",
    b".5",
    b"-.5",
    b"1..2",
    b"1.2.3",
    b"1e",
    b"1e+",
    b"1E-",
    b"1e1.5",
    b"1.e3",
    b"0x10",
    b"1_000",
    b"1,000",
    b"1a",
    b"1e999",
    b"-1e999",
    b"1.8e308",
    b"17976931348623159e292",
    b"1e99999999999999999999999",
    "\u{ff11}".as_bytes(),
    // Strings.
    b"\"",
    b"\"a",
    b"a\"",
    b"\"\\\"",
    b"\"\\",
    b"\"\\a\"",
    b"\"\\x41\"",
    b"\"\\'\"",
    b"\"\\U0041\"",
    b"\"\\u\"",
    b"\"\\u12\"",
    b"\"\\u12",
    b"\"\\u123g\"",
    b"\"\\u+123\"",
    "\"\\u12é\"".as_bytes(),
    "\"\\é\"".as_bytes(),
    b"\"\\uD800\"",
    b"\"\\uDC00\"",
    b"\"\\uDE00\\uD83D\"",
    b"\"\\uD83D\\n\"",
    b"\"\\uD83Dx\"",
    b"\"\\uD83D\\uD83D\"",
    b"\"\\uD83D\\u0041\"",
    b"\"\\uD83D\\uDE0\"",
    b"\"a\nb\"",
    b"\"a\tb\"",
    b"\"\0\"",
    b"\"\x1f\"",
    // Arrays.
    b"[",
    b"]",
    b"[1",
    b"[1,",
    b"[,]",
    b"[1,]",
    b"[,1]",
    b"[1,,2]",
    b"[1 2]",
    b"[1;2]",
    b"[1:2]",
    b"[1}",
    b"[\"a\",\n4\n,1,",
    b"[// note\n1]",
    b"[/* note */]",
    b"[1]#",
    // Objects.
    b"{",
    b"}",
    b"{\"a\"",
    b"{\"a\":",
    b"{\"a\":1",
    b"{\"a\":1,",
    b"{\"a\":1,}",
    b"{,}",
    b"{,\"a\":1}",
    b"{\"a\":1,,\"b\":2}",
    b"{\"a\" 1}",
    b"{\"a\"::1}",
    b"{\"a\":}",
    b"{\"a\",1}",
    b"{\"a\"}",
    b"{a:1}",
    b"{'a':1}",
    b"{1:1}",
    b"{null:1}",
    b"{[]:1}",
    b"{\"a\":1 \"b\":2}",
    b"{\"a\":1]",
    b"{\"a\":[1,{]}",
    // Duplicate names.
    b"{\"a\":1,\"a\":1}",
    b"{\"a\":1,\"b\":2,\"a\":3}",
    b"{\"\":1,\"\":2}",
    br#"{"a":1,"\u0061":2}"#,
    br#"{"\/":1,"/":2}"#,
    br#"{"\uD83D\uDE00":1,"\ud83d\ude00":2}"#,
    "{\"é\":1,\"\\u00E9\":2}".as_bytes(),
    b"[{\"a\":{\"b\":1,\"b\":1}}]",
    b"{\"a\":{\"c\":1},\"b\":{\"c\":1},\"a\":0}",
];

#[test]
fn json_is_accepted_with_its_kind() {
    for (text, kind) in GOOD {
        let document = Document::parse(text);
        let document = document.unwrap_or_else(|error| panic!("{}: {error}", text.escape_ascii()));
        assert_eq!(document.kind(), *kind, "{}", text.escape_ascii());
        assert_eq!(document.root().raw().as_bytes(), text.trim_ascii(), "{}", text.escape_ascii());
    }
}

#[test]
fn invalid_json_is_refused() {
    for text in BAD {
        assert!(Document::parse(text).is_err(), "{}", text.escape_ascii());
    }
}

#[test]
fn every_truncated_text_is_refused() {
    let whole = r#"{"a":[1.5e3,true,null,"\uD83D\uDE00 é"],"b":{"c":-1}}"#;
    for end in 0..whole.len() {
        let cut = &whole.as_bytes()[..end];
        assert!(Document::parse(cut).is_err(), "{}", cut.escape_ascii());
    }
    assert!(Document::parse(whole.as_bytes()).is_ok());
}

#[test]
fn at_most_128_levels_of_nesting_are_accepted() {
    let arrays = |levels| [vec![b'['; levels], vec![b']'; levels]].concat();
    let objects = |levels| format!("{}null{}", "{\"a\":".repeat(levels), "}".repeat(levels)).into_bytes();

    assert!(Document::parse(&arrays(MAX_DEPTH)).is_ok());
    assert!(Document::parse(&objects(MAX_DEPTH)).is_ok());
    for too_deep in [arrays(MAX_DEPTH + 1), objects(MAX_DEPTH + 1), vec![b'['; 5 << 20]] {
        let error = Document::parse(&too_deep).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::TooDeep);
        assert_eq!(error.to_string(), format!("more than 128 levels of nesting at line 1 column {}", error.column()));
    }
}

#[test]
fn siblings_do_not_add_to_the_nesting() {
    let siblings = format!("[{}{{}}]", "[],{\"a\":[]},".repeat(1000));
    assert!(Document::parse(siblings.as_bytes()).is_ok());
}

#[test]
fn integers_are_accepted_up_to_the_range_of_a_double() {
    // The largest double is 179769313486231570814…, of 309 digits.
    let digits = |first: &str, count: usize| format!("{first}{}", "0".repeat(count - first.len()));

    for good in
        [digits("9", 308), digits("1", 309), digits("-179769313486231570", 310), format!("0.{}", digits("9", 400))]
    {
        assert!(Document::parse(good.as_bytes()).is_ok(), "{good}");
    }
    for bad in [digits("2", 309), digits("-18", 310), digits("1", 310), digits("1", 400), digits("9", 1 << 20)] {
        let error = Document::parse(bad.as_bytes()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NumberOutOfRange(_)), "{error}");
    }
}

#[test]
fn a_duplicate_name_is_found_anywhere_in_any_object_size() {
    for count in [2, 3, 15, 16, 17, 18, 40, 5000] {
        for (first, second) in [(0, 1), (0, count - 1), (count / 2, count - 1)] {
            if first == second {
                continue;
            }
            let names: Vec<String> =
                (0..count).map(|n| format!("name {}", if n == second { first } else { n })).collect();
            let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":0")).collect();
            let text = format!("[{{{}}}]", members.join(","));
            let error = Document::parse(text.as_bytes()).unwrap_err();

            assert_eq!(error.kind(), &ErrorKind::DuplicateName(names[first].as_str().into()), "{count} names");
            let rest = &text[error.offset()..];
            assert!(rest.starts_with(&members[second]), "{count} names: {rest}");
            assert_eq!(text[..error.offset()].matches(members[second].as_str()).count(), 1);
        }
    }
}

#[test]
fn many_different_names_are_accepted() {
    let members: Vec<String> = (0..100_000).map(|n| format!("\"{n}\":{n}")).collect();
    let text = format!("{{{}}}", members.join(","));
    let document = Document::parse(text.as_bytes()).unwrap();

    assert_eq!(document.members().len(), 100_000);
    assert_eq!(document.get("99999").unwrap().as_integer(), Some("99999"));
}
