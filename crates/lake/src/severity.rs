//! Severities: the words that loggers print, as OpenTelemetry's numbers from 1 (TRACE) to 24 (FATAL4).
//!
//! Source: OpenTelemetry's log data model, "Mapping of `SeverityNumber`" and "Appendix B". A logger's numbers differ in
//! meaning from one format to the next, so only a format knows how to read them.

/// OpenTelemetry's severity number: 1 to 24.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Severity(u8);

impl Severity {
    /// The first number of each range, and those that syslog's severities have.
    pub const TRACE: Self = Self(1);
    /// Debugging.
    pub const DEBUG: Self = Self(5);
    /// Informational.
    pub const INFO: Self = Self(9);
    /// Normal, but of more weight than other information: syslog's notice, a success.
    pub const NOTICE: Self = Self(10);
    /// A warning.
    pub const WARN: Self = Self(13);
    /// An error. Errors are counted from here on.
    pub const ERROR: Self = Self(17);
    /// Syslog's critical.
    pub const CRITICAL: Self = Self(18);
    /// Syslog's alert.
    pub const ALERT: Self = Self(19);
    /// The program, or the system, ends.
    pub const FATAL: Self = Self(21);

    /// The number; `None` unless it is from 1 to 24.
    pub fn from_number(number: i64) -> Option<Self> {
        u8::try_from(number).ok().filter(|number| (1..=24).contains(number)).map(Self)
    }

    /// The number.
    pub fn number(self) -> u8 {
        self.0
    }

    /// Reads a level's word, in any case; `None` where it is none. slog's `INFO+2` is two above INFO.
    pub fn from_word(word: &str) -> Option<Self> {
        let bytes = word.as_bytes();
        if bytes.is_empty() || bytes.len() > 13 {
            return None;
        }
        let mut upper = [0; 13];
        for (to, from) in upper.iter_mut().zip(bytes) {
            *to = from.to_ascii_uppercase();
        }
        let severity = match upper.get(..bytes.len())? {
            b"TRACE" | b"TRCE" | b"TRC" | b"FINEST" | b"FINER" | b"SILLY" | b"VERBOSE" | b"VRB" => Self::TRACE,
            b"DEBUG" | b"DEBU" | b"DEBG" | b"DBG" | b"FINE" | b"CONFIG" | b"DEBUG1" | b"DEBUG2" | b"DEBUG3"
            | b"DEBUG4" | b"DEBUG5" => Self::DEBUG,
            b"INFO" | b"INF" | b"INFORMATION" | b"INFORMATIONAL" | b"LOG" | b"HTTP" => Self::INFO,
            b"NOTICE" | b"SUCCESS" | b"STATEMENT" | b"NOTE" => Self::NOTICE,
            b"WARN" | b"WARNING" | b"WRN" | b"WRNG" => Self::WARN,
            b"ERROR" | b"ERRO" | b"ERR" | b"SEVERE" | b"FAILURE" | b"FAIL" => Self::ERROR,
            b"CRITICAL" | b"CRIT" | b"FATAL" | b"FATA" | b"FTL" | b"PANIC" | b"DPANIC" | b"EMERG" | b"EMERGENCY"
            | b"PNC" => Self::FATAL,
            b"ALERT" => Self::ALERT,
            _ => return Self::from_offset(word),
        };
        Some(severity)
    }

    fn from_offset(word: &str) -> Option<Self> {
        let at = word.find(['+', '-']).filter(|&at| at > 0)?;
        let (word, offset) = word.split_at_checked(at)?;
        let (base, offset) = (Self::from_word(word)?, offset.parse::<i64>().ok()?);
        Some(Self(u8::try_from((i64::from(base.0).checked_add(offset)?).clamp(1, 24)).ok()?))
    }

    /// The level of one letter, as Android and glog print it.
    pub fn from_letter(letter: u8) -> Option<Self> {
        Some(match letter {
            b'V' => Self::TRACE,
            b'D' => Self::DEBUG,
            b'I' => Self::INFO,
            b'W' => Self::WARN,
            b'E' => Self::ERROR,
            b'F' | b'A' => Self::FATAL,
            _ => return None,
        })
    }

    /// The number of a JSON logger: pino's and bunyan's 10 to 60, logback's 5000 to 40000.
    pub fn from_json_number(number: i64) -> Option<Self> {
        Some(match number {
            10 | 5_000 => Self::TRACE,
            20 | 10_000 => Self::DEBUG,
            30 | 20_000 => Self::INFO,
            40 | 30_000 => Self::WARN,
            50 | 40_000 => Self::ERROR,
            60 | 50_000 => Self::FATAL,
            _ => return None,
        })
    }

    /// Syslog's severity (RFC 5424, table 2), 0 to 7.
    pub fn from_syslog(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::FATAL,
            1 => Self::ALERT,
            2 => Self::CRITICAL,
            3 => Self::ERROR,
            4 => Self::WARN,
            5 => Self::NOTICE,
            6 => Self::INFO,
            7 => Self::DEBUG,
            _ => return None,
        })
    }
}
