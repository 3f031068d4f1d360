//! Logs on stderr: text on a terminal, JSON elsewhere.

use std::io::IsTerminal;
use std::str::FromStr;
use std::sync::OnceLock;

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload;

/// Libraries that log each connection at `info` and each packet at `debug`. They are limited to warnings unless the
/// filter names them (`debug,hyper=debug`).
const CHATTY: [&str; 8] = ["h2", "hyper", "hyper_util", "librdkafka", "rdkafka", "reqwest", "rustls", "tower_http"];

/// Who did what: written whatever the level, unless the filter names it or is `off`.
const AUDIT: &str = "audit";

/// Log settings `--log` and `--log-format`, before or after a subcommand.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Logs")]
pub struct LogSettings {
    /// What to log: a level, or levels for parts of the program, like info,librdkafka=debug [default: info for servers
    /// and consumers, warn for other commands]
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<LogFilter>,

    /// Log format [default: text on a terminal, json elsewhere]
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For a person: in colour on a terminal, unless `NO_COLOR` is set
    #[value(help = "For a person: in colour on a terminal, unless NO_COLOR is set")]
    Text,
    /// One JSON object a line
    Json,
}

/// Levels by target, in the syntax of [`Targets`]. (Not `EnvFilter`: its fields and spans are not needed, and its regex
/// crates take 5 % of a first build.)
#[derive(Debug, Clone)]
pub struct LogFilter(Targets);

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_unmistakable = text.split(',').all(|part| part.contains('=') || is_level(part));
        let targets = text.parse().ok().filter(|_| is_unmistakable);
        targets.map(Self).ok_or_else(|| {
            "write a level (error, warn, info, debug, trace, off) or TARGET=LEVEL, separated by commas".to_owned()
        })
    }
}

/// Whether a word is a level. [`Targets`] would take any other word for a target; far more often it is a misspelt
/// level.
fn is_level(word: &str) -> bool {
    !word.is_empty() && word.parse::<LevelFilter>().is_ok()
}

impl LogFilter {
    fn at(level: Level) -> Self {
        Self(Targets::new().with_default(level))
    }

    /// The filter with chatty libraries at warnings, unless it names them or asks for less.
    fn with_chatty_quiet(&self) -> Targets {
        let default = self.0.default_level().unwrap_or(LevelFilter::OFF);
        let quiet = CHATTY.map(|target| (target, default.min(LevelFilter::WARN)));
        let is_off = self.0.default_level() == Some(LevelFilter::OFF);
        let audit = if is_off { LevelFilter::OFF } else { default.max(LevelFilter::INFO) };
        // The later of two directives for a target wins: the user's.
        let own = Targets::new().with_default(default).with_targets(quiet).with_target(AUDIT, audit);
        own.with_targets(self.0.clone())
    }
}

/// Installs the log subscriber, with default level `info`. An existing subscriber is kept.
pub fn install(settings: &LogSettings) {
    drop(install_from(settings, Level::INFO));
}

/// As [`install`], with default level `warn`, for commands that neither serve nor consume.
pub fn install_quiet(settings: &LogSettings) {
    drop(install_from(settings, Level::WARN));
}

/// As [`install`], for a program that prints a banner: default level `warn` until it has [`started`], then `info`. A
/// given filter applies from the beginning.
pub fn install_for_start(settings: &LogSettings) {
    let set_filter = install_from(settings, Level::WARN);
    if settings.log.is_none() {
        // Set once per process.
        let _ = AT_START.set(set_filter);
    }
}

/// Raises the default level after [`install_for_start`] to `info`.
pub fn started() {
    if let Some(set_filter) = AT_START.get() {
        set_filter(&LogFilter::at(Level::INFO));
    }
}

/// Replaces the filter of an installed subscriber.
type SetFilter = Box<dyn Fn(&LogFilter) + Send + Sync>;

static AT_START: OnceLock<SetFilter> = OnceLock::new();

fn install_from(settings: &LogSettings, level: Level) -> SetFilter {
    let filter = settings.log.clone().unwrap_or_else(|| LogFilter::at(level));
    let terminal = std::io::stderr().is_terminal();
    let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let format = settings.log_format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    let (dispatch, set_filter) = dispatch(&filter, format, colours, std::io::stderr);
    if tracing::dispatcher::set_global_default(dispatch).is_err() {
        tracing::debug!("a log subscriber is already installed and is kept");
    }
    set_filter
}

fn dispatch<W>(filter: &LogFilter, format: LogFormat, colours: bool, writer: W) -> (Dispatch, SetFilter)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // A line that cannot be written, because stderr is closed, is lost: reporting it on stderr would panic.
    let builder = tracing_subscriber::fmt().log_internal_errors(false);
    let builder = builder.with_max_level(LevelFilter::TRACE).with_writer(writer);
    let filter = filter.with_chatty_quiet();
    match format {
        LogFormat::Text => filtered(builder.with_ansi(colours).finish(), filter),
        LogFormat::Json => filtered(builder.json().flatten_event(true).finish(), filter),
    }
}

fn filtered<S>(subscriber: S, filter: Targets) -> (Dispatch, SetFilter)
where
    S: Subscriber + Send + Sync + 'static,
{
    let (layer, handle) = reload::Layer::new(filter);
    // Reloading fails only when the subscriber is gone.
    let set_filter = move |filter: &LogFilter| drop(handle.reload(filter.with_chatty_quiet()));
    (subscriber.with(layer).into(), Box::new(set_filter))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use serde_json::Value;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, format: LogFormat, colours: bool, log: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = written.clone();
        let filter = filter.parse().unwrap();
        let (dispatch, _) = dispatch(&filter, format, colours, move || writer.clone());
        tracing::dispatcher::with_default(&dispatch, log);
        String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn json_is_one_object_a_line_with_the_fields_in_it() {
        let lines = logged("info", LogFormat::Json, false, || {
            tracing::info!(topic = "orders", offset = 7, "processed");
            tracing::warn!("slow\nbroker");
        });

        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["level"], "INFO");
        assert_eq!(lines[0]["message"], "processed");
        assert_eq!(lines[0]["topic"], "orders");
        assert_eq!(lines[0]["offset"], 7);
        assert_eq!(lines[1]["message"], "slow\nbroker");
    }

    #[test]
    fn a_closed_stderr_is_ignored() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _bytes: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let (dispatch, _) = dispatch(&"info".parse().unwrap(), LogFormat::Json, false, || Gone);
        tracing::dispatcher::with_default(&dispatch, || tracing::info!("hello"));
    }

    #[test]
    fn a_filter_can_be_replaced_while_logs_are_written() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let written = Written::default();
            let writer = written.clone();
            let warn = LogFilter::at(Level::WARN);
            let (dispatch, set_filter) = dispatch(&warn, format, false, move || writer.clone());
            tracing::dispatcher::with_default(&dispatch, || {
                for text in ["before the banner", "after the banner"] {
                    tracing::info!("{text}");
                    tracing::info!(target: "librdkafka", "chatter");
                    tracing::warn!("a warning");
                    set_filter(&LogFilter::at(Level::INFO));
                }
            });
            let lines = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
            let texts = ["before the banner", "after the banner", "chatter", "a warning"];
            assert_eq!(texts.map(|text| lines.matches(text).count()), [0, 1, 0, 2], "{lines}");
        }
    }

    #[test]
    fn text_has_colours_only_when_asked() {
        let hello = || tracing::info!("hello");
        let plain = logged("info", LogFormat::Text, false, hello);
        assert!(plain.contains("hello") && !plain.contains('\u{1b}'), "{plain}");
        assert!(logged("info", LogFormat::Text, true, hello).contains('\u{1b}'));
    }

    #[test]
    fn chatty_libraries_log_warnings_unless_the_filter_names_them() {
        let chatter = || {
            tracing::info!(target: "librdkafka", "connected");
            tracing::warn!(target: "librdkafka", "disconnected");
            tracing::error!(target: "librdkafka", "all brokers are down");
        };
        let with = |filter| logged(filter, LogFormat::Text, false, chatter).lines().count();
        assert_eq!(with("info"), 2);
        assert_eq!(with("trace"), 2);
        assert_eq!(with("info,librdkafka=info"), 3);
        assert_eq!(with("error"), 1);
        assert_eq!(with("off"), 0);
    }

    #[test]
    fn audit_lines_are_written_whatever_the_level_unless_they_are_named() {
        let act = || tracing::info!(target: "audit", "topics apply");
        let with = |filter| logged(filter, LogFormat::Text, false, act).lines().count();
        assert_eq!(
            ["trace", "info", "warn", "error", "off", "info,audit=off", "millrace=debug"].map(with),
            [1, 1, 1, 1, 0, 0, 1]
        );
    }

    #[test]
    fn a_wrong_filter_says_what_is_accepted() {
        for wrong in ["info,kafka=loud", "debgu", "info,librdkafka", ""] {
            let error = wrong.parse::<LogFilter>().expect_err(wrong);
            assert!(error.contains("TARGET=LEVEL"), "{error}");
        }
        for right in ["INFO", "off", "warn,millrace_kafka=debug"] {
            assert!(right.parse::<LogFilter>().is_ok(), "{right}");
        }
    }
}
