//! What one library prints, and the rows to be made of it. A key that is absent is not decided.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use chrono::DateTime;
use serde_json::{Map, Value, json};

/// A stream that several loggers can write to.
#[derive(Clone, Default)]
pub struct Buf(pub Arc<Mutex<Vec<u8>>>);

impl std::fmt::Debug for Buf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Buf")
    }
}

impl Write for Buf {
    fn write(&mut self, b: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(b);
        Ok(b.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub type Stamp = fn(&str) -> (i64, &'static str);

pub struct File {
    name: &'static str,
    pub buf: Buf,
    rows: Vec<Value>,
    stamp: Option<Stamp>,
}

impl File {
    pub fn new(name: &'static str, stamp: Option<Stamp>) -> Self {
        File { name, buf: Buf::default(), rows: Vec::new(), stamp }
    }

    /// Runs one call of the library: one row.
    pub fn rec(&mut self, row: Value, call: impl FnOnce()) {
        self.rec_with(row, call, |_, _| ());
    }

    pub fn rec_with(&mut self, mut row: Value, call: impl FnOnce(), fill: impl FnOnce(&str, &mut Value)) {
        let from = self.buf.0.lock().unwrap().len();
        call();
        let text = String::from_utf8(self.buf.0.lock().unwrap()[from..].to_vec()).unwrap();
        if text.is_empty() {
            eprintln!("{}: printed nothing for {row}", self.name);
            return;
        }
        self.add(&text, &mut row);
        fill(&text, &mut row);
        self.rows.push(row);
    }

    /// Runs calls that print one line each: a row for each.
    pub fn recs(&mut self, rows: Vec<Value>, call: impl FnOnce(), fill: impl Fn(&str, &mut Value)) {
        let from = self.buf.0.lock().unwrap().len();
        call();
        let text = String::from_utf8(self.buf.0.lock().unwrap()[from..].to_vec()).unwrap();
        assert_eq!(text.lines().count(), rows.len(), "{text}");
        for (line, mut row) in text.lines().zip(rows) {
            self.add(&format!("{line}\n"), &mut row);
            fill(line, &mut row);
            self.rows.push(row);
        }
    }

    fn add(&self, text: &str, row: &mut Value) {
        row["lines"] = json!(text.lines().count());
        match self.stamp {
            None => row["time_source"] = json!("observed"),
            Some(stamp) => {
                let (ns, source) = stamp(text);
                row["time_ns"] = json!(ns);
                row["time_source"] = json!(source);
            }
        }
    }

    pub fn save(&self, out: &Path) {
        std::fs::write(out.join(format!("{}.log", self.name)), &*self.buf.0.lock().unwrap()).unwrap();
        let text = serde_json::to_string_pretty(&self.rows).unwrap() + "\n";
        std::fs::write(out.join(format!("{}.expected.json", self.name)), text).unwrap();
    }
}

/// A row of its level token, its number (0: not decided), its body ("-": not decided) and its attributes.
pub fn row(level: &str, number: u8, body: &str, attributes: Value) -> Value {
    let mut r = Map::new();
    r.insert("severity_text".into(), json!(level));
    if number != 0 {
        r.insert("severity_number".into(), json!(number));
    }
    if body != "-" {
        r.insert("body".into(), json!(body));
    }
    if !attributes.is_null() {
        r.insert("attributes".into(), attributes);
    }
    Value::Object(r)
}

pub fn with(mut row: Value, more: Value) -> Value {
    for (k, v) in more.as_object().unwrap() {
        row[k] = v.clone();
    }
    row
}

/// The text between the first occurrence of `key` and the next of one of `ends`.
pub fn between<'a>(text: &'a str, key: &str, ends: &[char]) -> &'a str {
    let from = text.find(key).unwrap_or_else(|| panic!("no {key} in {text}")) + key.len();
    let rest = &text[from..];
    &rest[..rest.find(ends).unwrap_or(rest.len())]
}

pub fn rfc3339(s: &str) -> i64 {
    DateTime::parse_from_rfc3339(s).unwrap_or_else(|e| panic!("{s}: {e}")).timestamp_nanos_opt().unwrap()
}

/// `98.5µs`, `1.2ms`, `3s` in nanoseconds.
pub fn nanos(s: &str) -> i64 {
    let at = s.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap();
    let unit = match &s[at..] {
        "ns" => 1.0,
        "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        other => panic!("{other}"),
    };
    (s[..at].parse::<f64>().unwrap() * unit).round() as i64
}
