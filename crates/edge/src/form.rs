//! HTML forms as events: fields become members of a JSON object.

use std::collections::HashMap;

use millrace_json::write_string;
use percent_encoding::percent_decode;

use crate::problem::Problem;

/// The field that is added where a form lacks it.
const TIMESTAMP: &str = "timestamp";

/// Turns an `application/x-www-form-urlencoded` body (WHATWG URL, section 5.1) into a JSON object. A field sent more
/// than once becomes an array of its values; `timestamp` is `now` (RFC 3339) unless the form has one. Fails
/// where the object would have more than about `limit` bytes.
pub(crate) fn to_json(body: &[u8], now: &str, limit: usize) -> Result<Vec<u8>, Problem> {
    let fields = fields(body, limit)?;
    let mut values: HashMap<&str, Vec<&str>> = HashMap::with_capacity(fields.len());
    for (name, value) in &fields {
        values.entry(name).or_default().push(value);
    }
    values.entry(TIMESTAMP).or_insert_with(|| vec![now]);
    let mut json = vec![b'{'];
    for name in fields.iter().map(|(name, _)| name.as_str()).chain([TIMESTAMP]) {
        // A name is written at its first occurrence, with all its values.
        let Some(values) = values.remove(name) else { continue };
        if json.len() > 1 {
            json.push(b',');
        }
        write_string(&mut json, name);
        json.push(b':');
        write_values(&mut json, &values);
    }
    json.push(b'}');
    Ok(json)
}

/// The decoded fields, in order.
fn fields(body: &[u8], limit: usize) -> Result<Vec<(String, String)>, Problem> {
    let mut fields = Vec::new();
    let mut least = 0;
    for pair in body.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()) {
        let (name, value) = match pair.iter().position(|&byte| byte == b'=') {
            Some(equals) => (&pair[..equals], &pair[equals + 1..]),
            None => (pair, &[][..]),
        };
        let (name, value) = (decode(name)?, decode(value)?);
        // A field of two bytes takes many times that in memory: decoding stops once the form is too large.
        least += value.len() + r#""","#.len();
        if least > limit {
            return Err(Problem::too_large(format!("the form's event exceeds {limit} bytes")));
        }
        fields.push((name, value));
    }
    Ok(fields)
}

fn write_values(json: &mut Vec<u8>, values: &[&str]) {
    if let [value] = values {
        return write_string(json, value);
    }
    for (index, value) in values.iter().enumerate() {
        json.push(if index == 0 { b'[' } else { b',' });
        write_string(json, value);
    }
    json.push(b']');
}

fn decode(text: &[u8]) -> Result<String, Problem> {
    let spaced: Vec<u8> = text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    String::from_utf8(percent_decode(&spaced).collect())
        .map_err(|_| Problem::malformed("the form is not UTF-8 once decoded"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-31T12:00:00Z";

    fn json(form: &str) -> String {
        String::from_utf8(to_json(form.as_bytes(), NOW, 1 << 20).unwrap()).unwrap()
    }

    #[test]
    fn fields_become_members_in_their_order_with_a_timestamp() {
        let expected = r#"{"name":"Ann \"A\" Lee","city":"Köln","empty":"","timestamp":"2026-01-31T12:00:00Z"}"#;
        assert_eq!(json("name=Ann+%22A%22+Lee&city=K%C3%B6ln&empty"), expected);
        assert_eq!(json("timestamp=1"), r#"{"timestamp":"1"}"#);
        assert_eq!(json(""), r#"{"timestamp":"2026-01-31T12:00:00Z"}"#);
    }

    #[test]
    fn a_repeated_field_becomes_an_array_at_its_first_position() {
        assert_eq!(json("a=1&b=2&a=3&timestamp=t"), r#"{"a":["1","3"],"b":"2","timestamp":"t"}"#);
    }

    #[test]
    fn a_form_that_is_not_utf_8_is_refused() {
        assert_eq!(to_json(b"a=%ff", NOW, 100).unwrap_err().status(), 400);
    }

    #[test]
    fn a_form_whose_event_exceeds_the_limit_is_refused() {
        assert!(to_json(b"a=1&b=2", NOW, 8).is_ok());
        assert_eq!(to_json(b"a=1&b=2&c=3", NOW, 8).unwrap_err().status(), 413);
    }
}
