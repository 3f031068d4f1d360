//! Kafka's security settings with `millrace dev`: only an external broker uses them.

use clap::{Args as _, Command};
use millrace_host::exit::SettingError;
use millrace_host::settings::{Origin, Origins};
use millrace_kafka::settings::Security;

use super::broker::Choice;

/// Rejects security settings with a broker that this process starts: it listens on loopback, without security.
///
/// A variable may be meant for other commands, so it is ignored when `--kafka` itself was given as a flag.
pub(super) fn refuse_where_unused(broker: &Choice, origins: &Origins) -> Result<(), SettingError> {
    let name = match broker {
        Choice::Embedded => "embedded",
        Choice::Apache => "apache",
        Choice::At(_) => return Ok(()),
    };
    let is_chosen = *origins.origin("kafka") == Origin::Flag;
    let is_meant = |setting: &String| match origins.origin(setting) {
        Origin::Flag => true,
        Origin::Variable(_) => !is_chosen,
        Origin::Default => false,
    };
    match settings().find(is_meant) {
        None => Ok(()),
        Some(setting) => {
            let problem = format!("is for a broker of your own (--kafka HOST:PORT): --kafka {name} has no security");
            Err(origins.error(&setting, problem))
        }
    }
}

/// The names of the security settings, without their dashes.
fn settings() -> impl Iterator<Item = String> {
    let command = Security::augment_args(Command::new("security"));
    let names: Vec<String> = command.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)).collect();
    names.into_iter()
}
