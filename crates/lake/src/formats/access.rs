//! Access lines of web servers: Common and Combined Log Format (Apache, nginx, gunicorn, morgan), and the shorter
//! forms of uvicorn, hypercorn, granian and morgan.

use super::Format;
use crate::draft::Draft;
use crate::severity::Severity;
use crate::stamp::Stamp;

const ACCESS: &str = "access";

const HAPROXY: &str = "haproxy";

/// The Common and Combined Log Format.
#[derive(Debug)]
pub(super) struct Access;

/// `HAProxy`'s HTTP lines, without a header of syslog's.
#[derive(Debug)]
pub(super) struct HaProxy;

impl Format for HaProxy {
    fn names(&self) -> Vec<&'static str> {
        vec![HAPROXY]
    }

    fn read(&mut self, text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
        let (client, rest) = text.split_once(" [")?;
        let (stamp, length) = Stamp::read(rest)?;
        let mut words = rest.get(length..)?.strip_prefix("] ")?.splitn(6, ' ');
        let (frontend, backend, timers) = (words.next()?, words.next()?, words.next()?);
        if timers.split('/').count() == 3 {
            // Of a TCP frontend: no request, no status.
            draft.stamp(stamp);
            draft.body(text);
            draft.attribute("client", Some(without_port(client)));
            draft.known("frontend", frontend);
            draft.known("backend", backend);
            return Some(HAPROXY);
        }
        let (status, bytes, rest) = (words.next()?, words.next()?, words.next()?);
        if timers.split('/').count() != 5 || client.contains(' ') {
            return None;
        }
        let (state, request) = rest.split_once('"')?;
        let request = request.trim_end_matches('"');
        if !draft.status(status) {
            (status == "-1").then_some(())?;
        }
        draft.stamp(stamp);
        draft.body(request);
        draft.attribute("client", Some(without_port(client)));
        draft.known("frontend", frontend);
        draft.known("backend", backend);
        draft.known("timers", timers);
        draft.known("bytes", bytes);
        draft.known("rest", state.trim());
        // The last of the five is the whole time, in milliseconds; a plus is in front of it where the log was early.
        if let Some(total) =
            timers.rsplit('/').next().and_then(|total| total.trim_start_matches('+').parse::<f64>().ok())
        {
            draft.duration(total);
        }
        request_line(request, draft);
        Some(HAPROXY)
    }
}

/// The forms of single servers.
#[derive(Debug)]
pub(super) struct Servers;

impl Format for Access {
    fn names(&self) -> Vec<&'static str> {
        vec![ACCESS]
    }

    fn read(&mut self, text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
        common(text, draft)?;
        Some(ACCESS)
    }
}

/// `client identity user [time] "request" status bytes`, maybe `"referrer" "user agent"` and more.
fn common(text: &str, draft: &mut Draft<'_>) -> Option<()> {
    let (client, rest) = text.split_once(' ')?;
    // An address or a name: most other lines have no bracket behind three words.
    let open = rest.find(" [")?;
    let (names, rest) = (rest.get(..open)?, rest.get(open + 2..)?);
    let (stamp, length) = Stamp::read(rest)?;
    let rest = rest.get(length..)?.strip_prefix("] ")?;
    let (request, rest) = quoted(rest)?;
    let mut words = rest.trim_start().splitn(3, ' ');
    let status = words.next()?;
    if !draft.status(status) {
        // nginx prints 000 where the client left before an answer.
        (status == "000" || status == "-").then_some(())?;
    }
    draft.stamp(stamp);
    draft.body(request);
    draft.attribute("client", Some(client));
    let (identity, user) = names.split_once(' ').unwrap_or(("-", names));
    draft.known("identity", identity);
    draft.known("user", user);
    request_line(request, draft);
    if let Some(bytes) = words.next() {
        draft.known("bytes", bytes);
    }
    let mut rest = words.next().unwrap_or_default();
    for name in ["referrer", "user_agent"] {
        let Some((value, after)) = quoted(rest.trim_start()) else { break };
        draft.known(name, value);
        rest = after;
    }
    draft.known("rest", rest.trim());
    Some(())
}

/// A text in quotes, which ends at the first quote that no backslash precedes; returns what is behind it, too.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', inside.as_bytes().get(from..)?)?;
        if inside.as_bytes().get(at) == Some(&b'"') {
            return Some((&inside[..at], &inside[at + 1..]));
        }
        // What a backslash precedes is not looked at.
        from = at + 2;
    }
}

/// Method, path and version of a request line: the first word, the last, and what is between, blanks as well. What is no
/// request has none of them.
fn request_line(request: &str, draft: &mut Draft<'_>) {
    let Some((method, rest)) = request.split_once(' ') else { return };
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-' || byte == b'_') {
        return;
    }
    let (path, version) = match rest.rsplit_once(' ') {
        Some((path, version)) if version.starts_with("HTTP/") || version.parse::<f32>().is_ok() => (path, version),
        _ => (rest, ""),
    };
    draft.attribute("method", Some(method));
    draft.known("path", path);
    draft.known("version", version);
}

impl Format for Servers {
    fn names(&self) -> Vec<&'static str> {
        vec!["uvicorn", "hypercorn", "granian", "django", "morgan"]
    }

    fn read(&mut self, text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
        match text.as_bytes().first()? {
            b'I' => uvicorn(text, draft),
            b'[' => {
                let forms: [fn(&str, &mut Draft<'_>) -> Option<&'static str>; 3] = [hypercorn, granian, django];
                forms.into_iter().find_map(|form| {
                    draft.reset(text);
                    form(text, draft)
                })
            }
            _ => morgan(text, draft),
        }
    }
}

/// `INFO:     127.0.0.1:44162 - "GET / HTTP/1.1" 200 OK`.
fn uvicorn(text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
    let rest = text.strip_prefix("INFO:")?.trim_start();
    let (client, rest) = rest.split_once(" - ")?;
    let (request, rest) = quoted(rest)?;
    let status = rest.trim_start().split(' ').next()?;
    draft.status(status).then_some(())?;
    draft.severity(Some(Severity::INFO), "INFO");
    draft.body(request);
    draft.attribute("client", Some(client));
    request_line(request, draft);
    Some("uvicorn")
}

/// The stamp of `[time] `, and what is behind it.
fn bracketed_stamp(text: &str) -> Option<(Stamp, &str)> {
    let (stamp, length) = Stamp::read(text.get(1..)?)?;
    Some((stamp, text.get(1 + length..)?.strip_prefix("] ")?))
}

/// The address of `address:port`.
pub(super) fn without_port(client: &str) -> &str {
    client.rsplit_once(':').map_or(client, |(address, _)| address)
}

/// `[time] [pid] [INFO] ` before a line in the Combined Log Format.
fn hypercorn(text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
    let (stamp, rest) = bracketed_stamp(text)?;
    let rest = rest.strip_prefix('[')?;
    let (pid, rest) = rest.split_once("] [")?;
    let (level, rest) = rest.split_once("] ")?;
    common(rest, draft)?;
    draft.stamp(stamp);
    draft.severity(Some(Severity::from_word(level)?), level);
    draft.attribute("pid", Some(pid));
    Some("hypercorn")
}

/// `[time] 127.0.0.1 - "GET / HTTP/1.1" 200 0.370`, where the last number is in milliseconds.
fn granian(text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
    let (stamp, rest) = bracketed_stamp(text)?;
    let (client, rest) = rest.split_once(" - ")?;
    let (request, rest) = quoted(rest)?;
    let (status, duration) = rest.trim_start().split_once(' ')?;
    draft.status(status).then_some(())?;
    draft.duration(duration.parse().ok()?);
    draft.stamp(stamp);
    draft.body(request);
    draft.attribute("client", Some(client));
    request_line(request, draft);
    Some("granian")
}

/// `[28/Nov/2026 12:00:00] "GET / HTTP/1.1" 200 5`.
fn django(text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
    let (stamp, rest) = bracketed_stamp(text)?;
    let (request, rest) = quoted(rest)?;
    let (status, bytes) = rest.trim_start().split_once(' ')?;
    draft.status(status).then_some(())?;
    draft.stamp(stamp);
    draft.body(request);
    request_line(request, draft);
    draft.known("bytes", bytes.trim());
    Some("django")
}

/// morgan's `tiny`, `dev` and `short`, which have no time: `GET /p 200 5 - 1.805 ms`, `GET /p 200 1.805 ms - 5` and
/// `127.0.0.1 - GET /p HTTP/1.1 200 5 - 1.805 ms`.
fn morgan(text: &str, draft: &mut Draft<'_>) -> Option<&'static str> {
    let words: Vec<&str> = text.split(' ').collect();
    let request;
    let (client, request, words) = match *words.as_slice() {
        _ if text.contains(" HTTP/") => {
            let version = words.iter().position(|word| word.starts_with("HTTP/"))?;
            let is_method = |word: &&str| word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase());
            let method = words.iter().take(version).rposition(is_method).filter(|&method| method >= 2)?;
            draft.known("user", &words.get(1..method)?.join(" "));
            request = words.get(method..=version)?.join(" ");
            (words.first().copied(), request.as_str(), words.get(version + 1..)?)
        }
        [method, path, ..] => (None, text.get(..method.len() + path.len() + 1)?, words.get(2..)?),
        _ => return None,
    };
    let ([status, bytes, "-", duration, "ms"] | [status, duration, "ms", "-", bytes]) = *words else { return None };
    draft.status(status).then_some(())?;
    draft.duration(duration.parse().ok()?);
    draft.body(request);
    if let Some(client) = client {
        draft.attribute("client", Some(client));
    }
    request_line(request, draft);
    draft.known("bytes", bytes);
    Some("morgan")
}
