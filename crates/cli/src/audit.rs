//! Lines of the log target `audit`: who did what to a running system. They are written whatever the level of the log, unless
//! `--log` is `off` or names the target.

/// Who runs this process: `USER@HOST`.
pub(crate) fn actor() -> String {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
    let user = user.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    format!("{user}@{}", rustix::system::uname().nodename().to_string_lossy())
}
