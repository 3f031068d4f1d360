//! HTML forms as events: fields become members of a JSON object.

use std::borrow::Cow;

use millrace_domain::json::{escape, write_string};
use percent_encoding::percent_decode;

use crate::problem::Problem;

/// A field that every event of a form has.
const TIMESTAMP: &str = "timestamp";

/// Turns an `application/x-www-form-urlencoded` body (WHATWG URL, section 5.1) into a JSON object. A field sent more
/// than once becomes an array of its values; `timestamp` is `now` (RFC 3339) unless the form has one.
pub(crate) fn to_json(body: &[u8], now: &str) -> Result<Vec<u8>, Problem> {
    let mut fields: Vec<(Cow<'_, str>, Vec<Cow<'_, str>>)> = Vec::new();
    for pair in body.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()) {
        let (name, value) = match pair.iter().position(|&byte| byte == b'=') {
            Some(equals) => (&pair[..equals], &pair[equals + 1..]),
            None => (pair, &[][..]),
        };
        let (name, value) = (decode(name)?, decode(value)?);
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => fields.push((name, vec![value])),
        }
    }
    if !fields.iter().any(|(name, _)| name == TIMESTAMP) {
        fields.push((TIMESTAMP.into(), vec![now.into()]));
    }
    Ok(object(&fields))
}

fn object(fields: &[(Cow<'_, str>, Vec<Cow<'_, str>>)]) -> Vec<u8> {
    let mut json = vec![b'{'];
    for (index, (name, values)) in fields.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        write_string(&mut json, name);
        json.push(b':');
        match values.as_slice() {
            [value] => write_string(&mut json, value),
            values => {
                let values: Vec<_> = values.iter().map(|value| escape(value).to_string()).collect();
                json.extend_from_slice(format!("[{}]", values.join(",")).as_bytes());
            }
        }
    }
    json.push(b'}');
    json
}

fn decode(text: &[u8]) -> Result<Cow<'_, str>, Problem> {
    let spaced: Cow<'_, [u8]> = if text.contains(&b'+') {
        text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect::<Vec<_>>().into()
    } else {
        text.into()
    };
    let decoded = String::from_utf8(percent_decode(&spaced).collect());
    decoded.map(Cow::Owned).map_err(|_| Problem::malformed("the form is not UTF-8 once decoded"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-31T12:00:00Z";

    fn json(form: &str) -> String {
        String::from_utf8(to_json(form.as_bytes(), NOW).unwrap()).unwrap()
    }

    #[test]
    fn fields_become_members_in_their_order_with_a_timestamp() {
        let expected = r#"{"name":"Ann \"A\" Lee","city":"Köln","empty":"","timestamp":"2026-01-31T12:00:00Z"}"#;
        assert_eq!(json("name=Ann+%22A%22+Lee&city=K%C3%B6ln&empty"), expected);
        assert_eq!(json("timestamp=1"), r#"{"timestamp":"1"}"#);
        assert_eq!(json(""), r#"{"timestamp":"2026-01-31T12:00:00Z"}"#);
    }

    #[test]
    fn a_field_sent_twice_keeps_both_values() {
        assert_eq!(json("a=1&a=2&timestamp=t"), r#"{"a":["1","2"],"timestamp":"t"}"#);
    }

    #[test]
    fn a_form_that_is_not_utf_8_is_refused() {
        assert_eq!(to_json(b"a=%ff", NOW).unwrap_err().status(), 400);
    }
}
