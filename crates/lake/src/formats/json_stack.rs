//! Stack traces that JSON loggers print as arrays of calls, as the text that the language itself prints.

use std::fmt::Write as _;

use millrace_json::lenient::{Pairs, Value};

/// Exceptions of which each is the cause of the one before.
const CAUSES_LIMIT: usize = 32;

/// The trace of an exception of logback's `JsonEncoder` (`stepArray`) or tslog (`stack`), with its causes; none where it has no calls.
pub(super) fn trace(exception: Value<'_>) -> Option<String> {
    let (mut text, mut has_calls) = (String::new(), false);
    let mut next = Some(exception);
    for depth in 0..CAUSES_LIMIT {
        let Some(exception) = next else { break };
        let mut members = Pairs::default();
        if !members.read(exception.raw) {
            break;
        }
        let of = |name: &str| members.get(exception.raw, name);
        let kind = of("className").or_else(|| of("name")).filter(Value::is_string)?;
        let message = of("message").filter(Value::is_string).map(|message| format!(": {}", message.text()));
        let begin = if depth > 0 { "\nCaused by: " } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{begin}{}{}", kind.text(), message.unwrap_or_default());
        for call in of("stepArray").or_else(|| of("stack")).map(|calls| calls.elements()).unwrap_or_default() {
            if let Some(call) = line_of(call) {
                has_calls = true;
                text.push('\n');
                text.push_str(&call);
            }
        }
        next = of("cause");
    }
    has_calls.then_some(text)
}

/// A call as Java or Node prints it.
fn line_of(call: Value<'_>) -> Option<String> {
    let mut members = Pairs::default();
    if !members.read(call.raw) {
        return None;
    }
    let text = |name: &str| members.get(call.raw, name).map(|value| value.text().into_owned());
    if let (Some(class), Some(method)) = (text("className"), text("methodName")) {
        let (file, line) = (text("fileName"), text("lineNumber"));
        let place = file.zip(line).map_or("Unknown Source".to_owned(), |(file, line)| format!("{file}:{line}"));
        return Some(format!("\tat {class}.{method}({place})"));
    }
    let place = text("fullFilePath").or_else(|| text("filePathWithLine"))?;
    Some(match text("method").filter(|method| !method.is_empty()) {
        Some(method) => format!("    at {method} ({place})"),
        None => format!("    at {place}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_in_arrays_are_a_trace_as_the_language_prints_it() {
        let of = |exception: &str| {
            let line = format!("{{\"e\":{exception}}}");
            let mut pairs = Pairs::default();
            assert!(pairs.read(&line));
            trace(pairs.get(&line, "e").expect("the exception"))
        };
        let java = r#"{"className":"a.Outer","message":"out","stepArray":[{"className":"a.B","methodName":"c","fileName":"B.java","lineNumber":7},{"className":"a.D","methodName":"e"}],
            "cause":{"className":"a.Inner","stepArray":[{"className":"a.B","methodName":"f","fileName":"B.java","lineNumber":9}]}}"#;
        let expected =
            "a.Outer: out\n\tat a.B.c(B.java:7)\n\tat a.D.e(Unknown Source)\nCaused by: a.Inner\n\tat a.B.f(B.java:9)";
        assert_eq!(of(java).as_deref(), Some(expected));
        let node = r#"{"name":"Error","message":"out","stack":[{"fullFilePath":"file:///srv/a.mjs:26:12","method":"charge"},{"fullFilePath":"file:///srv/b.mjs:1:2"}]}"#;
        let expected = "Error: out\n    at charge (file:///srv/a.mjs:26:12)\n    at file:///srv/b.mjs:1:2";
        assert_eq!(of(node).as_deref(), Some(expected));
        assert_eq!(of(r#"{"name":"Error","message":"out"}"#), None);
    }
}
