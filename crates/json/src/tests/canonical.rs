//! The canonical form: one text for each value.

use proptest::prelude::*;

use crate::{Document, escape, write_canonical};

fn canonical(json: &str) -> String {
    let document = Document::parse(json.as_bytes()).unwrap_or_else(|error| panic!("{error}: {json}"));
    let mut out = Vec::new();
    write_canonical(&mut out, &document.root());
    String::from_utf8(out).unwrap()
}

#[test]
fn the_examples_of_rfc_8785_have_its_canonical_form() {
    let example = r#"{
        "numbers": [1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
    }"#;
    let expected =
        r#"{"literals":[null,true,false],"numbers":[1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#;
    assert_eq!(canonical(example), expected);
    let names = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7,"</script>":8}"#;
    let expected = "{\"\\r\":2,\"1\":4,\"</script>\":8,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}";
    assert_eq!(canonical(names), expected);
}

/// RFC 8785, appendix B.
#[test]
fn the_sample_numbers_of_rfc_8785_are_canonical() {
    for number in [
        "0",
        "5e-324",
        "-5e-324",
        "1.7976931348623157e+308",
        "9007199254740992",
        "295147905179352830000",
        "9.999999999999997e+22",
        "1e+23",
        "1.0000000000000001e+23",
        "999999999999999700000",
        "999999999999999900000",
        "1e+21",
        "9.999999999999997e-7",
        "0.000001",
        "333333333.3333332",
        "-0.0000033333333333333333",
        "1424953923781206.2",
    ] {
        assert_eq!(canonical(number), number);
    }
}

#[test]
fn equal_numbers_have_one_form_and_others_do_not() {
    for (spellings, form) in [
        (&["0", "-0", "0.0", "-0.00", "0e5", "0E-99999999999999999999999"][..], "0"),
        (&["1", "1.0", "1.00", "1e0", "10e-1", "0.1E+1", "1000e-0003"], "1"),
        (&["-120", "-1.2e2", "-120.0"], "-120"),
        (&["9007199254740993", "9007199254740993.0", "9007199254740.993e3"], "9007199254740993"),
        (&["123456789012345678901", "1.23456789012345678901e20"], "123456789012345678901"),
        (&["1234567890123456789012", "1234567890123456789012.0"], "1.234567890123456789012e+21"),
        (&["1000000000000000000000000", "1e24", "10E23"], "1e+24"),
        (&["0.1", "1e-1", "0.10"], "0.1"),
        (&["0.0000001", "1e-7"], "1e-7"),
        (&["0.10000000000000000000000001"], "0.10000000000000000000000001"),
        (&["9007199254740992"], "9007199254740992"),
    ] {
        for spelling in spellings {
            assert_eq!(canonical(spelling), form, "{spelling}");
        }
    }
    for stays in ["1e-99999999999999999999999", "1e-9223372036854775808"] {
        assert_eq!(canonical(stays), stays);
    }
}

/// A value, independent of its spelling. A number is its digits and an exponent.
#[derive(Debug, Clone)]
enum Tree {
    Word(&'static str),
    Number(i128, i32),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["null", "true", "false"]).prop_map(Tree::Word),
        (any::<i128>(), -40..40).prop_map(|(digits, exponent)| Tree::Number(digits, exponent)),
        (-1000_i128..1000, -4..4).prop_map(|(digits, exponent)| Tree::Number(digits, exponent)),
        any::<String>().prop_map(Tree::Text),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Tree::Array),
            prop::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|members| Tree::Object(members.into_iter().collect())),
        ]
    })
}

impl Tree {
    /// A spelling of the value, by `choice`.
    fn spelled(&self, choice: &mut impl FnMut(usize) -> usize) -> String {
        let space = ["", " ", "\n\t", "\r\n  "][choice(4)];
        let spelled = match self {
            Self::Word(word) => (*word).to_owned(),
            Self::Number(digits, exponent) => {
                let zeros = if *digits == 0 { 0 } else { choice(3) };
                let digits = format!("{digits}{}", "0".repeat(zeros));
                let exponent = exponent - i32::try_from(zeros).unwrap();
                let point = if choice(2) == 0 { ".000" } else { "" };
                format!("{digits}{point}{}{exponent}", ["e", "E"][choice(2)])
            }
            Self::Text(text) => literal(text, choice),
            Self::Array(elements) => {
                let elements: Vec<_> = elements.iter().map(|element| element.spelled(choice)).collect();
                format!("[{}{space}]", elements.join(","))
            }
            Self::Object(members) => {
                let mut members = members.clone();
                for index in (1..members.len()).rev() {
                    members.swap(index, choice(index + 1));
                }
                let member = |(name, value): &(String, Self)| {
                    let name = literal(name, choice);
                    format!("{space}{name}{space}:{}", value.spelled(choice))
                };
                let members: Vec<_> = members.iter().map(member).collect();
                format!("{{{}{space}}}", members.join(","))
            }
        };
        format!("{space}{spelled}{space}")
    }
}

fn literal(text: &str, choice: &mut impl FnMut(usize) -> usize) -> String {
    let spelled = text.chars().map(|character| {
        if choice(3) == 0 {
            let mut units = [0; 2];
            let escapes = character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04X}"));
            return escapes.collect::<Vec<_>>().concat();
        }
        let literal = escape(character.encode_utf8(&mut [0; 4])).to_string();
        literal[1..literal.len() - 1].to_owned()
    });
    format!("\"{}\"", spelled.collect::<String>())
}

/// Choices derived from a seed.
fn choices(mut seed: u64) -> impl FnMut(usize) -> usize {
    move |count| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % count
    }
}

/// 10^`exponent`, where that fits.
fn power(exponent: i32) -> Option<i128> {
    10_i128.checked_pow(u32::try_from(exponent).ok()?)
}

proptest! {
    #[test]
    fn every_spelling_of_a_value_has_one_form(tree in tree(), one in any::<u64>(), other in any::<u64>()) {
        let (one, other) = (tree.spelled(&mut choices(one)), tree.spelled(&mut choices(other)));
        let form = canonical(&one);
        prop_assert_eq!(&form, &canonical(&other), "{} and {}", one, other);
        // The form is JSON, and canonical itself.
        prop_assert_eq!(&canonical(&form), &form);
    }

    #[test]
    fn numbers_have_one_form_exactly_where_they_are_equal(
        one in -20_000_i128..20_000, other in -20_000_i128..20_000, first in -4_i32..8, second in -4_i32..8,
    ) {
        let least = first.min(second);
        let value = |digits: i128, exponent: i32| power(exponent - least).map(|power| digits * power);
        let are_equal = value(one, first) == value(other, second);
        let forms = [canonical(&format!("{one}e{first}")), canonical(&format!("{other}e{second}"))];
        prop_assert_eq!(forms[0] == forms[1], are_equal, "{:?}", forms);
    }

    #[test]
    fn a_double_keeps_its_shortest_digits(number in any::<f64>().prop_filter("finite", |number| number.is_finite())) {
        let form = canonical(&format!("{number:e}"));
        // Both zeros have the form of 0.
        prop_assert_eq!(form.parse::<f64>().unwrap().to_bits(), (number + 0.0).to_bits());
        prop_assert_eq!(&canonical(&format!("{number}")), &form);
    }

    #[test]
    fn different_strings_and_names_have_different_forms(one in ".{0,3}", other in ".{0,3}") {
        let text = |text: &str| canonical(&escape(text).to_string());
        let name = |name: &str| canonical(&format!("{{{}:1}}", escape(name)));
        prop_assert_eq!(text(&one) == text(&other), one == other);
        prop_assert_eq!(name(&one) == name(&other), one == other);
    }

    #[test]
    fn names_are_sorted_by_their_utf_16(one in any::<String>(), other in any::<String>()) {
        let order = crate::canonical_order(&one, &other);
        prop_assert_eq!(order, one.encode_utf16().cmp(other.encode_utf16()));
    }
}
