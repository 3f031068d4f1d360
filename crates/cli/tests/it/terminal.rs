//! A pseudo-terminal for tests: types keys and reads the screen.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millrace_testkit::eventually;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use tempfile::TempDir;
use tokio::process::Child;

use crate::millrace::Millrace;

const TIMEOUT: Duration = Duration::from_secs(30);
const ROWS: NonZeroU16 = NonZeroU16::new(24).unwrap();
const COLUMNS: NonZeroU16 = NonZeroU16::new(100).unwrap();

/// A pseudo-terminal of 24 lines in which a command runs.
pub(crate) struct Terminal {
    keys: File,
    /// The command's side.
    inner: File,
    screen: Arc<Mutex<vt100::Parser>>,
    child: Child,
    _folder: TempDir,
}

impl Terminal {
    pub(crate) fn start(command: Millrace) -> Self {
        let outer = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&outer).unwrap();
        unlockpt(&outer).unwrap();
        let path = ptsname(&outer, Vec::new()).unwrap().into_string().unwrap();
        let inner = File::options().read(true).write(true).open(path).unwrap();
        tcsetwinsize(&inner, Winsize { ws_row: ROWS.get(), ws_col: COLUMNS.get(), ws_xpixel: 0, ws_ypixel: 0 })
            .unwrap();
        let keys = File::from(outer);
        let mut shown = keys.try_clone().unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
        let parser = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = shown.read(&mut bytes) {
                parser.lock().unwrap_or_else(PoisonError::into_inner).process(&bytes[..count]);
            }
        });
        let (child, folder) = command.env("TERM", "xterm").start_on(&inner);
        Self { keys, inner, screen, child, _folder: folder }
    }

    /// The non-empty lines of the screen, without trailing spaces.
    pub(crate) fn lines(&self) -> Vec<String> {
        let screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = screen.screen().rows(0, COLUMNS.get());
        lines.map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
    }

    pub(crate) async fn shows(&self, what: &str, is_shown: impl Fn(&[String]) -> bool) {
        eventually(TIMEOUT, what, async || is_shown(&self.lines()).then_some(())).await;
    }

    pub(crate) fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        let status = std::process::Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap();
        assert!(status.success());
    }

    pub(crate) async fn ended(&mut self) -> Option<i32> {
        tokio::time::timeout(TIMEOUT, self.child.wait()).await.expect("it ends in time").unwrap().code()
    }

    /// Whether it is in cooked mode: echo and line by line.
    pub(crate) fn is_cooked(&self) -> bool {
        let modes = tcgetattr(&self.inner).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }
}
