//! Event digests: they tell a retry from another event with the same id.

use sha2::{Digest as _, Sha256};

use millrace_json::{Document, Kind, Value, canonical_order, write_canonical, write_string};

/// A SHA-256.
pub type Digest = [u8; 32];

/// The members with the time of an event's creation: a form's, and a payment's.
const TIMES: [&str; 2] = ["timestamp", "processed_at"];

/// The digest of an event whose value is JSON: its type and its value.
///
/// A retry must have the digest of the event that it repeats. A producer may write the event's time into the value,
/// another one at each attempt: `timestamp` and `processed_at` do not count where they equal the event's own `time`.
/// Neither does the spelling of the value: its canonical form is digested.
pub fn of_json(event_type: &str, time: &str, value: &Document<'_>) -> Digest {
    let mut form = Vec::with_capacity(value.root().raw().len());
    if value.kind() == Kind::Object {
        let is_own_time =
            |name: &str, member: &Value<'_>| TIMES.contains(&name) && member.as_str().as_deref() == Some(time);
        let mut members: Vec<_> = value.members().filter(|(name, member)| !is_own_time(name, member)).collect();
        members.sort_unstable_by(|(left, _), (right, _)| canonical_order(left, right));
        form.push(b'{');
        for (name, member) in members {
            if form.len() > 1 {
                form.push(b',');
            }
            write_string(&mut form, name);
            form.push(b':');
            write_canonical(&mut form, member);
        }
        form.push(b'}');
    } else {
        write_canonical(&mut form, &value.root());
    }
    of_bytes(event_type, &form)
}

/// The digest of an event of any other value.
pub fn of_bytes(event_type: &str, value: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    part(&mut hash, event_type.as_bytes());
    part(&mut hash, value);
    hash.finalize().into()
}

/// The digest of an event whose id is its record's position (`topic-partition-offset`), with the record's timestamp in
/// milliseconds: a recreated topic, or another cluster, has another record at that position.
pub fn at_place(event: Digest, record_time: i64) -> Digest {
    let mut hash = Sha256::new();
    part(&mut hash, &event);
    part(&mut hash, &record_time.to_be_bytes());
    hash.finalize().into()
}

/// Adds a part with its length, so that different sequences of parts never hash the same bytes.
fn part(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-01-31T12:00:00Z";
    const LATER: &str = "2026-01-31T12:00:01Z";

    fn digest(event_type: &str, time: &str, value: &str) -> Digest {
        of_json(event_type, time, &Document::parse(value.as_bytes()).unwrap())
    }

    #[test]
    fn a_retry_has_the_same_digest_at_any_time() {
        let first = digest("t", TIME, r#"{"key": "k", "timestamp": "2026-01-31T12:00:00Z"}"#);
        assert_eq!(digest("t", LATER, r#"{"timestamp":"2026-01-31T12:00:01Z","key":"k"}"#), first);
        assert_eq!(digest("t", LATER, r#"{"key":"k"}"#), first);
    }

    #[test]
    fn another_spelling_of_a_value_has_the_same_digest() {
        let first = digest("t", TIME, r#"{"name":"Müller","amount":1.0,"items":[{"id":7,"n":2}]}"#);
        for spelling in [
            r#" { "name" : "Müller" , "amount" : 1.0 , "items" : [ { "id" : 7 , "n" : 2 } ] } "#,
            r#"{"items":[{"n":2,"id":7}],"amount":1.00,"name":"M\u00fcller"}"#,
            r#"{"n\u0061me":"Müller","amount":10e-1,"items":[{"id":7.0,"n":2}]}"#,
        ] {
            assert_eq!(digest("t", LATER, spelling), first, "{spelling}");
        }
    }

    #[test]
    fn another_value_or_type_has_another_digest() {
        let values = [
            "{}",
            r#"{"a":9007199254740992}"#,
            r#"{"a":9007199254740993}"#,
            r#"{"a":0.1}"#,
            r#"{"a":0.10000000000000000001}"#,
            r#"{"a":"1"}"#,
            r#"{"a":1}"#,
            r#"{"a":[1,2]}"#,
            r#"{"a":[2,1]}"#,
            r#"{"a":null}"#,
            r#"{"a":"b"}"#,
            r#"{"a":"c"}"#,
            r#"{"a":"b","c":"d"}"#,
            r#"{"a":"2026-01-31T12:00:01Z"}"#,
            r#"["a","b"]"#,
            r#""a""#,
        ];
        let mut digests: Vec<_> = values.iter().map(|value| digest("t", TIME, value)).collect();
        digests.extend([digest("u", TIME, values[0]), of_bytes("t", b"a"), of_bytes("t", b"")]);
        for (index, digest) in digests.iter().enumerate() {
            assert!(!digests[..index].contains(digest), "{index}");
        }
    }
}
