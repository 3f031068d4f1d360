//! Lines of the log target `audit`: who did what to a running system. They are written whatever the level of the log, unless
//! `--log` is `off` or names the target.

/// Who runs this process: `USER (uid N)@HOST`.
pub(crate) fn actor() -> String {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
    // Anybody can set that variable.
    let uid = rustix::process::getuid().as_raw();
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    user.map_or_else(|| format!("uid {uid}@{host}"), |user| format!("{user} (uid {uid})@{host}"))
}
