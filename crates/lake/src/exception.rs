//! Stack traces in text: where one begins, and the type and message of the outer exception.
//!
//! Python prints the inner exception first and the outer one's type and message on the last line; Java, JavaScript and
//! Go print the outer one first.

/// The outer exception of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trace {
    pub(crate) kind: String,
    pub(crate) message: Option<String>,
}

const PYTHON: &str = "Traceback (most recent call last):";

/// Whether a text has a stack trace.
pub(crate) fn is_trace(text: &str) -> bool {
    text.contains(PYTHON) || text.lines().skip(1).any(is_frame) || text.contains("\ngoroutine ")
}

/// Whether a line is one call of a trace of Java or JavaScript.
fn is_frame(line: &str) -> bool {
    let trimmed = line.trim_start();
    trimmed.len() < line.len() && trimmed.starts_with("at ")
}

/// Whether a line can only be a part of the record before it.
pub(crate) fn continues(record: &str, line: &str) -> bool {
    line.starts_with(char::is_whitespace)
        || line.starts_with("Caused by: ")
        || line.starts_with("caused by: ")
        || line.starts_with("Traceback (most recent")
        || line.starts_with("During handling of the above exception")
        || line.starts_with("The above exception was the direct cause")
        || line.starts_with("*** Check failure stack trace")
        || in_calls_of_python(record) && header(line).is_some()
        || in_go(record) && is_of_go(line)
}

/// Whether a record ends in calls of a Python trace: below them its exception is named.
pub(crate) fn in_calls_of_python(record: &str) -> bool {
    record.lines().next_back().is_some_and(|last| last.starts_with(char::is_whitespace) || last.starts_with(PYTHON))
        && record.contains(PYTHON)
}

/// Whether a record is what Go prints when a program ends.
fn in_go(record: &str) -> bool {
    record.starts_with("panic: ") || record.starts_with("fatal error: ")
}

/// Whether a line is one of Go's trace: a function, or what is said between them.
fn is_of_go(line: &str) -> bool {
    line.starts_with("goroutine ")
        || line.starts_with("created by ")
        || line.starts_with("[signal ")
        || line.starts_with("exit status ")
        || line.starts_with("runtime stack:")
        || line.ends_with(')') && line.contains('(') && !line.contains(' ') | line.contains('{') | line.contains(", ")
}

/// Whether a line is the place of a call of Go's, below the one with the function.
fn is_go_place(line: &str) -> bool {
    line.starts_with('\t') && line.contains(".go:")
}

/// Whether a line is an exception's type, maybe with its message, as traces begin or end.
pub(crate) fn header(line: &str) -> Option<(&str, Option<&str>)> {
    let line = line.trim_start();
    let line = line.strip_prefix("Caused by: ").unwrap_or(line);
    let line = match line.strip_prefix("Exception in thread \"") {
        Some(rest) => rest.split_once("\" ")?.1,
        None => line,
    };
    let line = line.strip_prefix("Uncaught ").unwrap_or(line);
    let (kind, message) = match line.split_once(": ") {
        Some((kind, message)) => (kind, Some(message)),
        None => (line.strip_suffix(':').unwrap_or(line), None),
    };
    let named = kind.contains('.')
        || ["Error", "Exception", "Throwable", "Warning", "Interrupt", "Exit", "Iteration"]
            .iter()
            .any(|end| kind.ends_with(end));
    let valid = !kind.is_empty()
        && kind.len() <= 200
        && !kind.ends_with('.')
        && kind.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && kind.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '_' | '$' | '/' | '@'));
    (valid && named).then_some((kind, message))
}

/// The outer exception of a trace; `None` where it names none.
pub(crate) fn read(trace: &str) -> Option<Trace> {
    if trace.contains(PYTHON) {
        return read_python(trace);
    }
    if let Some(message) = trace.strip_prefix("panic: ") {
        let message = message.lines().next().unwrap_or_default();
        return Some(Trace { kind: "panic".to_owned(), message: Some(message.to_owned()) });
    }
    let mut lines = trace.lines().peekable();
    let first = lines.next()?;
    // Of Go's calls the first is a function, whose name looks like a type's.
    if lines.peek().is_some_and(|below| is_go_place(below)) {
        return None;
    }
    let (kind, message) = header(first)?;
    // A message of several lines ends where the first call begins.
    let mut message = message.map(str::to_owned);
    if let Some(message) = &mut message {
        for line in
            lines.take_while(|line| !is_frame(line) && !line.starts_with("Caused by: ") && !line.starts_with("\t... "))
        {
            message.push('\n');
            message.push_str(line);
        }
        message.truncate(message.trim_end().len());
    }
    Some(Trace { kind: kind.to_owned(), message })
}

/// After the last call of the last part stands the type, with the message, which may have several lines.
fn read_python(trace: &str) -> Option<Trace> {
    let last = trace.rfind(PYTHON)?;
    let mut lines = trace.get(last..)?.lines().skip(1).peekable();
    while lines
        .next_if(|line| line.starts_with(char::is_whitespace) || line.is_empty() || line.starts_with("> File "))
        .is_some()
    {}
    let rest: Vec<&str> = lines.collect();
    let (kind, message) = match rest.first()?.split_once(": ") {
        Some((kind, first)) => {
            let mut message = first.to_owned();
            for line in rest.iter().skip(1) {
                message.push('\n');
                message.push_str(line);
            }
            message.truncate(message.trim_end().len());
            (kind, Some(message))
        }
        None => (rest.first()?.trim_end_matches(':'), None),
    };
    let valid = kind.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && kind.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '_' | '<' | '>'));
    valid.then(|| Trace { kind: kind.to_owned(), message })
}

/// Lines in which the name of an exception whose message has several lines is looked for.
const MESSAGE_LINES: usize = 20;

/// Where the stack trace of a record's text begins: the length of the text before it. 0 where all of it is the trace, or
/// where its first line names the exception.
pub(crate) fn start(text: &str) -> Option<usize> {
    let mut starts = Vec::new();
    let mut offset = 0;
    for line in text.split('\n') {
        let is_python = line.starts_with(PYTHON) || line.trim_start().starts_with("+ Exception Group Traceback");
        let is_go =
            line.starts_with("goroutine ") && line.ends_with("]:") || line.starts_with("*** Check failure stack trace");
        if is_python || is_go {
            return Some(offset);
        }
        if let Some(&previous) = starts.last() {
            if is_go_place(line) {
                return Some(previous);
            }
            if is_frame(line) || line.starts_with("Caused by: ") {
                return Some(named(text, &starts).unwrap_or(offset));
            }
        }
        starts.push(offset);
        offset += line.len() + 1;
    }
    None
}

/// Where the exception of a trace is named, whose calls begin below these lines.
fn named(text: &str, starts: &[usize]) -> Option<usize> {
    let line = |start: usize| text.get(start..).and_then(|rest| rest.split('\n').next());
    let full = starts
        .iter()
        .rev()
        .take(MESSAGE_LINES)
        .copied()
        .find(|&start| line(start).is_some_and(|line| header(line).is_some()));
    full.or_else(|| {
        // Node puts an error behind the message: `failed to pay Error: outer`.
        let first = line(0)?;
        let words = first.match_indices(' ').map(|(blank, _)| blank + 1);
        words.into_iter().find(|&at| {
            header(&first[at..]).is_some_and(|(kind, _)| kind.ends_with("Error") || kind.ends_with("Exception"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_of_go_is_no_type() {
        for trace in [
            "main.pay\n\t/src/a/b.go:12\nmain.main\n\t/src/a/main.go:7",
            "github.com/acme/pay.(*Server).Pay\n\t/src/a/b.go:12",
        ] {
            assert_eq!(read(trace), None);
        }
        let java = read("java.io.IOException: closed\n\tat a.B.c(B.java:1)").expect("a trace");
        assert_eq!((java.kind.as_str(), java.message.as_deref()), ("java.io.IOException", Some("closed")));
    }
}
