//! A record as a document: its id, the day of its index, and its JSON on one line.
//!
//! A row is indexed as it stands on the topic. Some things of it OpenSearch would refuse, and with them the whole row: equal
//! names in an object, of which the last counts here, as in most readers of JSON; a name or a value of an attribute that
//! is larger than a term of its index may be, which is shortened (the lake has all of it); forms of RFC 3339 that are rare,
//! which are written as others are.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use millrace_domain::EventId;
use millrace_domain::envelope::own_id_and_time;
use millrace_kafka::Record;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;

use crate::day_index::day_of;

/// The longest id that OpenSearch takes, in bytes; a longer one makes it refuse the whole call.
const ID_LIMIT: usize = 512;

/// The most bytes of an attribute, its name and its value: `attributes.NAME=VALUE` is a term, and a term of Lucene has at
/// most 32,766 bytes (`IndexWriter.MAX_TERM_LENGTH`).
const ATTRIBUTE_LIMIT: usize = 32_000;

/// The most bytes of an attribute's name; one with a longer name is left out.
const NAME_LIMIT: usize = 1_024;

/// The most levels of nesting: as many as the edge takes. Where there are some hundreds, a node runs out of stack, and ends.
const DEPTH_LIMIT: usize = 128;

/// The attribute that says that others were shortened or left out, as the lake's own rows say it.
const TRUNCATED: &str = "truncated";

/// A document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document<'r> {
    /// Names it in its index.
    pub(crate) id: Cow<'r, str>,
    /// The day of its index.
    pub(crate) day: Date,
    /// The document, without line breaks.
    pub(crate) json: Cow<'r, str>,
}

impl<'r> Document<'r> {
    /// The document of a record.
    ///
    /// # Errors
    /// The reason of its dead letter: the value is no row.
    pub(crate) fn read(record: &'r Record<'_>) -> Result<Self, String> {
        let (id, _) = own_id_and_time(record.headers());
        let position = || EventId::from_position(record.topic(), record.partition(), record.offset());
        let written = Timestamp::from_millisecond(record.timestamp()).ok().filter(|_| record.timestamp() >= 0);
        Self::of_row(id, || position().as_str().to_owned(), written, record.value().unwrap_or_default())
    }

    /// The document of a row whose record was written then. Its id is the record's, else the row's own, else its `position`.
    fn of_row(
        id: Option<&'r str>,
        position: impl FnOnce() -> String,
        written: Option<Timestamp>,
        value: &'r [u8],
    ) -> Result<Self, String> {
        let text = str::from_utf8(value).map_err(|_| "the value is no UTF-8 text".to_owned())?;
        if is_deeper(text, DEPTH_LIMIT) {
            return Err(format!("the value has more than {DEPTH_LIMIT} levels of nesting"));
        }
        let mut row: Object<'r> =
            serde_json::from_str(text).map_err(|error| format!("the value is no JSON object: {error}"))?;
        let own_id = || row.get("id").and_then(|id| serde_json::from_str::<Name<'r>>(id.get()).ok()).map(|Name(id)| id);
        let id = id.map(Cow::Borrowed).or_else(own_id).filter(|id| !id.is_empty()).unwrap_or_else(|| position().into());
        if id.len() > ID_LIMIT {
            return Err(format!("its id has {} bytes; OpenSearch takes {ID_LIMIT}", id.len()));
        }
        let written_time = row.get("time").ok_or("the row has no time")?.get();
        let time: Timestamp = serde_json::from_str(written_time)
            .map_err(|_| format!("the row's time is no time in RFC 3339: {}", shown(written_time)))?;

        let mut attributes = row.get("attributes").and_then(|raw| serde_json::from_str::<Object<'_>>(raw.get()).ok());
        let mut is_changed = attributes.as_mut().is_some_and(Object::fit) | row.remove_repeated();
        let usual = time.to_string();
        if written_time.trim_matches('"') != usual {
            row.set("time", usual);
            is_changed = true;
        }
        let json = if is_changed || text.contains(['\n', '\r']) {
            rewritten(&row, attributes.as_ref()).map_err(|error| error.to_string())?.into()
        } else {
            Cow::Borrowed(text)
        };
        Ok(Self { id, day: day_of(time, written), json })
    }
}

/// Whether JSON is nested deeper than this.
fn is_deeper(json: &str, limit: usize) -> bool {
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// The beginning of a text, for a reason.
fn shown(text: &str) -> &str {
    &text[..text.floor_char_boundary(80)]
}

/// An object of JSON: its names in their order, and its values as they are written.
#[derive(Debug)]
struct Object<'j>(Vec<(Cow<'j, str>, Member<'j>)>);

/// A value of an object.
#[derive(Debug)]
enum Member<'j> {
    /// As it is written.
    Raw(&'j RawValue),
    /// A text that was shortened.
    Text(String),
}

impl<'j> Object<'j> {
    /// The last value of a name.
    fn get(&self, name: &str) -> Option<&'j RawValue> {
        self.0.iter().rev().find(|(own, _)| own == name).and_then(|(_, value)| match value {
            Member::Raw(raw) => Some(*raw),
            Member::Text(_) => None,
        })
    }

    /// Removes all but the last of equal names, and says whether there were any.
    fn remove_repeated(&mut self) -> bool {
        let last: HashMap<&str, usize> =
            self.0.iter().enumerate().map(|(index, (name, _))| (name.as_ref(), index)).collect();
        if last.len() == self.0.len() {
            return false;
        }
        let is_last: Vec<bool> =
            self.0.iter().enumerate().map(|(index, (name, _))| last[name.as_ref()] == index).collect();
        let mut is_last = is_last.into_iter();
        self.0.retain(|_| is_last.next().unwrap_or(true));
        true
    }

    /// Replaces the value of a name.
    fn set(&mut self, name: &str, text: String) {
        if let Some((_, value)) = self.0.iter_mut().find(|(own, _)| own == name) {
            *value = Member::Text(text);
        }
    }

    /// Makes attributes fit an index, and says whether it changed anything.
    fn fit(&mut self) -> bool {
        let is_repeated = self.remove_repeated();
        let count = self.0.len();
        self.0.retain(|(name, _)| name.len() <= NAME_LIMIT);
        let mut is_cut = self.0.len() < count;
        for (name, value) in &mut self.0 {
            // A text is never larger than it is written.
            if let Member::Raw(raw) = value
                && name.len() + raw.get().len() > ATTRIBUTE_LIMIT
                && let Ok(mut text) = serde_json::from_str::<String>(raw.get())
                && name.len() + text.len() > ATTRIBUTE_LIMIT
            {
                text.truncate(text.floor_char_boundary(ATTRIBUTE_LIMIT - name.len()));
                *value = Member::Text(text);
                is_cut = true;
            }
        }
        if is_cut {
            self.0.retain(|(name, _)| name != TRUNCATED);
            self.0.push((TRUNCATED.into(), Member::Text("true".to_owned())));
        }
        is_repeated || is_cut
    }
}

/// A row with these attributes in the place of its own, on one line.
fn rewritten(row: &Object<'_>, attributes: Option<&Object<'_>>) -> Result<String, serde_json::Error> {
    struct Rewritten<'o>(&'o Object<'o>, Option<&'o Object<'o>>);
    impl Serialize for Rewritten<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(self.0.0.len()))?;
            for (name, value) in &self.0.0 {
                match self.1.filter(|_| name == "attributes") {
                    Some(attributes) => map.serialize_entry(name, attributes)?,
                    None => map.serialize_entry(name, value)?,
                }
            }
            map.end()
        }
    }
    let mut json = serde_json::to_string(&Rewritten(row, attributes))?;
    if json.contains(['\n', '\r']) {
        // In JSON they are between tokens only.
        json = json.replace(['\n', '\r'], " ");
    }
    Ok(json)
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Serialize for Member<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Raw(raw) => raw.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
        }
    }
}

impl<'j> Deserialize<'j> for Object<'j> {
    fn deserialize<D: Deserializer<'j>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'j> Visitor<'j> for Members {
            type Value = Object<'j>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<Object<'j>, A::Error> {
                let mut members = Vec::with_capacity(24);
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, Member::Raw(value)));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A name, borrowed where it is written without escapes.
#[derive(serde::Deserialize)]
struct Name<'j>(#[serde(borrow)] Cow<'j, str>);

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    fn document(value: &str) -> Result<Document<'_>, String> {
        Document::of_row(Some("row"), || unreachable!("it has an id"), None, value.as_bytes())
    }

    fn value_of(document: &Document<'_>) -> Value {
        assert!(!document.json.contains(['\n', '\r']), "{}", document.json);
        serde_json::from_str(&document.json).unwrap()
    }

    #[test]
    fn a_row_is_its_document_as_it_stands() {
        let row = r#"{"id":"a","time":"2026-01-31T12:00:00.123456789Z","time_ns":1769860800123456789,"duration_ms":1.50,"body":"\ud83d\ude00","attributes":{"":"x","a.b":null}}"#;
        let document = document(row).unwrap();
        assert!(matches!(document.json, Cow::Borrowed(json) if json == row));
        assert_eq!(document.day, date(2026, 1, 31));
    }

    #[test]
    fn a_value_that_is_no_row_is_refused_with_the_reason() {
        for (value, reason) in [
            ("[]", "the value is no JSON object: invalid type: sequence, expected an object at line 1 column 0"),
            ("{\"time\":", "the value is no JSON object: EOF while parsing a value at line 1 column 8"),
            ("{}", "the row has no time"),
            ("{\"time\":null}", "the row's time is no time in RFC 3339: null"),
            ("{\"time\":1769860800}", "the row's time is no time in RFC 3339: 1769860800"),
            ("{\"time\":\"yesterday\"}", "the row's time is no time in RFC 3339: \"yesterday\""),
        ] {
            assert_eq!(document(value).unwrap_err(), reason);
        }
        let read = |id, value| Document::of_row(id, || "cleaned-logs-0-7".to_owned(), None, value);
        assert_eq!(read(Some("a"), b"\xff").unwrap_err(), "the value is no UTF-8 text");
        let error = read(Some(&"é".repeat(257)), br#"{"time":"2026-01-31T12:00:00Z"}"#).unwrap_err();
        assert_eq!(error, "its id has 514 bytes; OpenSearch takes 512");
        let nested = |depth: usize| {
            format!(
                r#"{{"time":"2026-01-31T12:00:00Z","body":"[[[\"[[","a":{}1{}}}"#,
                "[".repeat(depth - 1),
                "]".repeat(depth - 1)
            )
        };
        assert!(document(&nested(DEPTH_LIMIT)).is_ok());
        let error = document(&nested(DEPTH_LIMIT + 1)).unwrap_err();
        assert_eq!(error, "the value has more than 128 levels of nesting");
    }

    #[test]
    fn the_id_is_the_records_else_the_rows_else_the_position() {
        let read = |id, value: &'static str| {
            Document::of_row(id, || "cleaned-logs-0-7".to_owned(), None, value.as_bytes()).unwrap().id
        };
        let row = r#"{"id":"a\u0062","time":"2026-01-31T12:00:00Z"}"#;
        assert_eq!(read(Some("header"), row), "header");
        assert_eq!(read(None, row), "ab");
        for without in [
            r#"{"time":"2026-01-31T12:00:00Z"}"#,
            r#"{"id":7,"time":"2026-01-31T12:00:00Z"}"#,
            r#"{"id":"","time":"2026-01-31T12:00:00Z"}"#,
        ] {
            assert_eq!(read(None, without), "cleaned-logs-0-7");
        }
    }

    #[test]
    fn a_time_is_written_as_others_are() {
        for (time, written) in [
            ("2026-01-31T12:00:00z", "2026-01-31T12:00:00Z"),
            ("2026-01-31 13:00:00.500+01:00", "2026-01-31T12:00:00.5Z"),
            ("2026-01-31T12:00:60Z", "2026-01-31T12:00:59Z"),
        ] {
            let row = json!({"time": time}).to_string();
            assert_eq!(value_of(&document(&row).unwrap())["time"], written);
        }
    }

    #[test]
    fn line_breaks_and_repeated_names_are_gone() {
        let row = "{\n \"time\":\"2026-01-31T12:00:00Z\",\r\n\"body\":\"a\\n\",\"body\":\"b\\n\",\"attributes\":{\"k\":\"1\",\n\"k\":\"2\"}}";
        let document = document(row).unwrap();
        assert_eq!(
            value_of(&document),
            json!({"time": "2026-01-31T12:00:00Z", "body": "b\n", "attributes": {"k": "2"}})
        );
        assert_eq!(document.json.matches("\"k\"").count(), 1);
        assert_eq!(document.json.matches("\"body\"").count(), 1);
    }

    #[test]
    fn an_attribute_that_no_index_takes_is_shortened() {
        let (long, name) = ("é".repeat(20_000), "n".repeat(NAME_LIMIT + 1));
        let row =
            json!({"time": "2026-01-31T12:00:00Z", "body": long, "attributes": {"k": long, "short": "x", name: "y"}});
        let row = row.to_string();
        let document = document(&row).unwrap();
        let value = value_of(&document);
        assert_eq!(value["body"], long, "the body has no limit");
        let expected = "é".repeat((ATTRIBUTE_LIMIT - 1) / 2);
        assert_eq!(value["attributes"], json!({"k": expected, "short": "x", "truncated": "true"}));
        // Written with escapes it is larger than it is.
        let whole = json!({"k": "\n".repeat(20_000), "o": {"x": "y".repeat(40_000)}, "truncated": "no"});
        let row = json!({"time": "2026-01-31T12:00:00Z", "attributes": whole}).to_string();
        assert_eq!(
            value_of(&super::Document::of_row(Some("a"), String::new, None, row.as_bytes()).unwrap())["attributes"],
            whole
        );
    }

    proptest! {
        /// Whatever stands in a row: the document is on one line, has no name twice, and means what a reader of JSON that lets
        /// the last of equal names count reads of it, but for what is shortened.
        #[test]
        fn a_document_means_what_its_row_means(
            names in proptest::collection::vec(prop_oneof!["[a-c]", "attributes", "time", ".{0,3}"], 0..8),
            attributes in proptest::collection::vec(("[a-c\\\\\"\u{e9}]{0,2}", prop_oneof![".{0,5}", (31_990usize..32_010).prop_map(|length| "\\x".repeat(length / 2))]), 0..4),
            breaks in "[ \n\r\t]{0,2}",
        ) {
            let text = |text: &str| Value::from(text).to_string();
            let pairs: Vec<String> = attributes.iter().map(|(name, value)| format!("{}:{breaks}{}", text(name), text(value))).collect();
            let object = format!("{{{}}}", pairs.join(","));
            let members: Vec<String> = names.iter().enumerate().map(|(number, name)| match name.as_str() {
                "time" => r#""time":"2026-01-31T12:00:00Z""#.to_owned(),
                "attributes" => format!("\"attributes\":{object}"),
                name => format!("{}:{breaks}{number}", text(name)),
            }).chain([r#""time":"2026-01-31T12:00:00Z""#.to_owned()]).collect();
            let row = format!("{{{breaks}{}}}", members.join(&format!(",{breaks}")));
            let mut expected: Map<String, Value> = serde_json::from_str(&row).unwrap();
            let document = document(&row).unwrap();
            let mut value = value_of(&document);
            let found: Object<'_> = serde_json::from_str(&document.json).unwrap();
            prop_assert_eq!(found.0.len(), value.as_object().unwrap().len(), "no name is there twice");
            if let Some(Value::Object(wanted)) = expected.get_mut("attributes") {
                let is_cut = wanted.iter().any(|(name, value)| name.len() + value.as_str().unwrap().len() > ATTRIBUTE_LIMIT);
                for (name, value) in wanted.iter_mut() {
                    let whole = value.as_str().unwrap();
                    *value = whole[..whole.floor_char_boundary(ATTRIBUTE_LIMIT - name.len())].into();
                }
                let said = value["attributes"].as_object_mut().unwrap().remove(TRUNCATED);
                prop_assert_eq!(said, is_cut.then(|| "true".into()));
            }
            prop_assert_eq!(value, Value::Object(expected));
        }
    }
}
