use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use millrace_json::Document;

/// 2026-01-31T12:00:00Z in milliseconds.
const NOON: i64 = 1_769_860_800_000;

const ID: &str = "8f14e45f-ceea-567a-9b9a-3f2f5ba1c2d3";

fn read(value: &str) -> Result<Login, String> {
    let document = Document::parse(value.as_bytes()).map_err(|error| error.to_string())?;
    Login::read(&document, || NOON).map_err(|errors| errors.to_string())
}

fn insight(logins: &[Login]) -> String {
    let logins: Vec<_> = logins.iter().collect();
    String::from_utf8(Insight::of(ID, &logins).unwrap().to_json()).unwrap()
}

#[test]
fn logins_of_the_edge_and_of_older_producers_are_read() {
    let login = |user: &str, device: Option<&str>, locale: Option<&str>, time: &str| {
        let time = crate::event::Timestamp::from_text(time).unwrap();
        Login { user: user.into(), device: device.map(Into::into), locale: locale.map(Into::into), time }
    };
    for (value, expected) in [
        (
            r#"{"user_id": "12345", "device_type": "ios", "ip": "198.18.0.1", "locale": "de-DE", "timestamp": 1769860801}"#,
            login("12345", Some("ios"), Some("de-DE"), "1769860801"),
        ),
        (
            r#"{"user_id": 12345, "timestamp": "1769860801.5", "app_version": [2, 3]}"#,
            login("12345", None, None, "2026-01-31T12:00:01.5Z"),
        ),
        (
            r#"{"user_id": "a\u00e9", "device_type": null, "locale": "", "timestamp": "2026-01-31T14:00:01.25+02:00"}"#,
            login("aé", None, Some(""), "2026-01-31T12:00:01.25Z"),
        ),
        (r#"{"user_id": "u", "timestamp": null}"#, login("u", None, None, "2026-01-31T12:00:00Z")),
        (r#"{"user_id": "u"}"#, login("u", None, None, "2026-01-31T12:00:00Z")),
    ] {
        assert_eq!(read(value).unwrap(), expected, "{value}");
    }
}

#[test]
fn an_invalid_login_is_refused_with_the_reason() {
    for (value, expected) in [
        ("plain text", "line 1"),
        ("[1]", "must be a JSON object, not an array"),
        ("{}", "/user_id is required"),
        (r#"{"user_id": ""}"#, "/user_id must not be empty"),
        (r#"{"user_id": 1.5}"#, "/user_id must be a non-empty string or an integer"),
        (r#"{"user_id": "u", "device_type": 7}"#, "/device_type must be a string, not an integer"),
        (r#"{"user_id": "u", "timestamp": "yesterday"}"#, "/timestamp must be a time"),
    ] {
        let error = read(value).unwrap_err();
        assert!(error.contains(expected), "{value}: {error}");
    }
    let document = Document::parse(br#"{"user_id": "u"}"#).unwrap();
    let error = Login::read(&document, || -1).unwrap_err().to_string();
    assert!(error.contains("the record's own (-1 ms) is out of range"), "{error}");
}

#[test]
fn an_insights_json_is_as_in_the_contract() {
    let logins: Vec<_> = [
        r#"{"user_id": "2", "device_type": "ios", "locale": "de-DE", "timestamp": 1769860803}"#,
        r#"{"user_id": "1", "device_type": "android", "locale": "en-US", "timestamp": "2026-01-31T12:00:01.5Z"}"#,
        r#"{"user_id": "2", "locale": "de-DE", "timestamp": 1769860802}"#,
        r#"{"user_id": "3", "device_type": "android", "timestamp": 1769860809}"#,
        r#"{"user_id": "3", "device_type": "ios", "locale": "cs-CZ", "timestamp": 1769860802}"#,
    ]
    .map(|value| read(value).unwrap())
    .into();
    let expected = concat!(
        r#"{"id":"8f14e45f-ceea-567a-9b9a-3f2f5ba1c2d3","batch_size":5,"#,
        r#""start_time":"2026-01-31T12:00:01.5Z","end_time":"2026-01-31T12:00:09Z","#,
        r#""device_type_aggregation":{"android":2,"ios":2},"#,
        r#""top_10_locations":{"de-DE":2,"cs-CZ":1,"en-US":1},"#,
        r#""bottom_5_locations":{"cs-CZ":1,"en-US":1,"de-DE":2},"#,
        r#""top_5_users":{"2":2,"3":2,"1":1}}"#,
    );
    assert_eq!(insight(&logins), expected);
    assert_eq!(Insight::of(ID, &[]), None);
}

/// Ranks by count and name with a naive quadratic search.
fn ranked(names: &[Option<String>], limit: usize, least_first: bool) -> String {
    let mut left: Vec<&String> = names.iter().flatten().collect();
    left.sort();
    left.dedup();
    let count = |name: &String| names.iter().flatten().filter(|other| *other == name).count();
    let mut members = Vec::new();
    while !left.is_empty() && members.len() < limit {
        let mut best = 0;
        for index in 1..left.len() {
            let (candidate, leader) = (count(left[index]), count(left[best]));
            if (least_first && candidate < leader) || (!least_first && candidate > leader) {
                best = index;
            }
        }
        let name = left.remove(best);
        members.push(format!("{}:{}", json!(name), count(name)));
    }
    format!("{{{}}}", members.join(","))
}

prop_compose! {
    fn name()(name in prop_oneof![4 => "[a-f]", 1 => "[a-z]{2}-[A-Z]{2}", 1 => "\\PC{0,6}", 1 => "[\"\\\\\u{0}-\u{1f}]{1,3}"]) -> String {
        name
    }
}

prop_compose! {
    fn login()(
        user in prop_oneof!["[0-9]{1,2}", name().prop_filter("a user has a name", |name| !name.is_empty())],
        device in prop::option::of(name()), locale in prop::option::of(name()), second in prop::option::of(0i64..2_000_000_000),
    ) -> Value {
        let mut login = json!({"user_id": user, "device_type": device, "timestamp": second});
        if let Some(locale) = locale {
            login["locale"] = locale.into();
        }
        login
    }
}

proptest! {
    #[test]
    fn an_insight_equals_a_naive_count(values in prop::collection::vec(login(), 1..60)) {
        let logins: Vec<_> = values.iter().map(|value| read(&value.to_string()).unwrap()).collect();
        let json = insight(&logins);

        let texts = |member: &str| -> Vec<Option<String>> {
            values.iter().map(|value| value.get(member).and_then(Value::as_str).map(str::to_owned)).collect()
        };
        let seconds = || values.iter().map(|value| value["timestamp"].as_i64().unwrap_or(NOON / 1000));
        let time = |second| jiff::Timestamp::from_second(second).unwrap();
        let expected = format!(
            r#"{{"id":"{ID}","batch_size":{},"start_time":"{}","end_time":"{}","device_type_aggregation":{},"top_10_locations":{},"bottom_5_locations":{},"top_5_users":{}}}"#,
            values.len(), time(seconds().min().unwrap()), time(seconds().max().unwrap()),
            ranked(&texts("device_type"), usize::MAX, false), ranked(&texts("locale"), 10, false),
            ranked(&texts("locale"), 5, true), ranked(&texts("user_id"), 5, false),
        );
        prop_assert_eq!(&json, &expected);

        let name = file_name(json.as_bytes()).unwrap();
        let (start, end) = (time(seconds().min().unwrap()), time(seconds().max().unwrap()));
        let format = "%Y%m%dT%H%M%SZ";
        prop_assert_eq!(name, format!("insights_{}_{}_{ID}.json", start.strftime(format), end.strftime(format)));
    }
}

#[test]
fn a_file_is_named_after_its_insight_to_the_second() {
    let value = json!({"id": ID, "start_time": "2026-01-31T12:00:00.999999999Z", "end_time": "2026-02-01T00:00:00Z"});
    let expected = format!("insights_20260131T120000Z_20260201T000000Z_{ID}.json");
    assert_eq!(file_name(value.to_string().as_bytes()), Ok(expected));
}

/// No value leads to a path outside of the folder.
#[test]
fn an_invalid_insight_has_no_file_name() {
    let time = "2026-01-31T12:00:00Z";
    for (value, expected) in [
        (json!("insight"), "\"id\" is not a UUID"),
        (json!({"start_time": time, "end_time": time}), "\"id\" is not a UUID"),
        (json!({"id": "../../etc/passwd", "start_time": time, "end_time": time}), "\"id\" is not a UUID"),
        (json!({"id": ID, "end_time": time}), "\"start_time\" is not a time"),
        (json!({"id": ID, "start_time": time, "end_time": "/../x"}), "\"end_time\" is not a time"),
    ] {
        let error = file_name(value.to_string().as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{value}: {error}");
    }
    assert!(matches!(file_name(b"\xff"), Err(NotAnInsight::NotJson(_))));
}
