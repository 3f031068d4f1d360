//! Durations as loggers print them: text with its unit, in milliseconds.
//!
//! A bare number is no duration here: the same library prints one in two units (zerolog, apex), so only a key or a text
//! with a unit is believed.

/// The longest duration that is believed: about 31 years. Longer ones are no request's.
const LIMIT_MS: f64 = 1e12;

/// Reads a text with units: `1.50025s`, `1m30.5s`, `98.5µs`, `1.805 ms`, and ISO 8601's `PT1.5S`.
pub(crate) fn from_text(text: &str) -> Option<f64> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let iso = rest.strip_prefix("PT");
    let mut rest = iso.unwrap_or(rest);
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let number = rest.get(..digits)?.parse::<f64>().ok()?;
        rest = rest.get(digits..)?.trim_start_matches(' ');
        let letters = rest.find(|letter: char| !letter.is_alphabetic()).unwrap_or(rest.len());
        let unit = rest.get(..letters)?;
        total += number * if iso.is_some() { iso_unit(unit)? } else { unit_ms(unit)? };
        rest = rest.get(letters..)?;
    }
    bounded(if negative { -total } else { total })
}

/// The duration of an attribute that is one: by the unit in its text, or in its key.
pub(crate) fn of_attribute(key: &str, value: &str) -> Option<f64> {
    if !is_key(key) {
        return None;
    }
    let has_unit = value.ends_with(|unit: char| unit.is_alphabetic());
    from_text(value).filter(|_| has_unit).or_else(|| from_key(key, value))
}

/// Reads a number under a key that names its unit, such as `durationMs` or `elapsed_milliseconds`.
pub(crate) fn from_key(key: &str, number: &str) -> Option<f64> {
    bounded(number.parse::<f64>().ok()? * unit_of_key(key)?)
}

/// Reads a number of nanoseconds: the unit of the Elastic Common Schema's `event.duration`.
pub(crate) fn from_nanoseconds(number: &str) -> Option<f64> {
    bounded(number.parse::<f64>().ok()? / 1e6)
}

/// Milliseconds of the unit that a duration's key ends in.
fn unit_of_key(key: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 23] = [
        ("_milliseconds", 1.0),
        ("_millis", 1.0),
        ("Millis", 1.0),
        ("_ms", 1.0),
        ("Ms", 1.0),
        ("MS", 1.0),
        ("_microseconds", 1e-3),
        ("_micros", 1e-3),
        ("Micros", 1e-3),
        ("_us", 1e-3),
        ("Us", 1e-3),
        ("_nanoseconds", 1e-6),
        ("_nanos", 1e-6),
        ("Nanos", 1e-6),
        ("_ns", 1e-6),
        ("Ns", 1e-6),
        ("_seconds", 1e3),
        ("_secs", 1e3),
        ("_sec", 1e3),
        ("_s", 1e3),
        ("Seconds", 1e3),
        ("Secs", 1e3),
        ("Sec", 1e3),
    ];
    let (name, unit) = UNITS.iter().find_map(|&(suffix, unit)| Some((key.strip_suffix(suffix)?, unit)))?;
    ends_in_duration(name).then_some(unit)
}

/// Whether a key, without its unit, names the time that something took.
pub(crate) fn names_duration(name: &str) -> bool {
    matches!(
        name,
        "duration"
            | "took"
            | "elapsed"
            | "latency"
            | "dur"
            | "time"
            | "time_taken"
            | "timeTaken"
            | "response_time"
            | "responseTime"
            | "request_time"
            | "request_duration"
            | "requestDuration"
            | "total_time"
            | "runtime"
            | "elapsed_time"
            | "elapsedTime"
            | "execution_time"
            | "executionTime"
            | "responseLatency"
    )
}

fn unit_ms(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-6,
        "us" | "µs" | "μs" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 60e3,
        "h" => 3_600e3,
        _ => return None,
    })
}

fn iso_unit(unit: &str) -> Option<f64> {
    Some(match unit {
        "S" => 1e3,
        "M" => 60e3,
        "H" => 3_600e3,
        _ => return None,
    })
}

fn bounded(milliseconds: f64) -> Option<f64> {
    (milliseconds.abs() <= LIMIT_MS).then_some(milliseconds)
}

/// Whether a key names a duration, with its unit or without.
pub(crate) fn is_key(key: &str) -> bool {
    unit_of_key(key).is_some() || ends_in_duration(key) && key != "time"
}

/// Whether a key, or its part behind the last point, names a duration.
fn ends_in_duration(key: &str) -> bool {
    names_duration(key) || key.rsplit_once('.').is_some_and(|(_, last)| names_duration(last))
}
