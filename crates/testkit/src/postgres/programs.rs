//! PostgreSQL's installed programs, and the user they run as.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::getuid;

/// Debian's folder of versions, `<version>/bin`, which are not in `PATH`.
const DEBIAN: &str = "/usr/lib/postgresql";

const USERS: &str = "/etc/passwd";

/// The programs of one version.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    folder: PathBuf,
    user: Option<User>,
}

/// The user that runs them if this process is root: PostgreSQL does not run as root.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct User {
    uid: u32,
    gid: u32,
}

impl Programs {
    /// The programs in `PATH`, else Debian's newest.
    ///
    /// # Errors
    /// What is missing.
    pub(super) fn find() -> Result<Self, String> {
        let folder = folder(&env::var_os("PATH").unwrap_or_default(), Path::new(DEBIAN))?;
        let user = if getuid().is_root() {
            let users = fs::read_to_string(USERS).unwrap_or_default();
            Some(User::find(&users).ok_or("PostgreSQL does not run as root, and there is no user postgres or nobody")?)
        } else {
            None
        };
        Ok(Self { folder, user })
    }

    /// The command of a program, as the user.
    pub(super) fn command(&self, program: &str) -> Command {
        let program = self.folder.join(program);
        match self.user {
            None => Command::new(program),
            Some(User { uid, gid }) => {
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()]);
                command.arg("--").arg(program);
                command
            }
        }
    }

    /// Gives the ownership of a folder to the user.
    pub(super) fn hand_over(&self, folder: &Path) -> std::io::Result<()> {
        match self.user {
            None => Ok(()),
            Some(User { uid, gid }) => std::os::unix::fs::chown(folder, Some(uid), Some(gid)),
        }
    }
}

impl User {
    /// `postgres`, else `nobody`, from the text of `/etc/passwd` (`name:password:uid:gid:…`).
    fn find(users: &str) -> Option<Self> {
        let named = |name: &str| {
            users.lines().find_map(|line| {
                let mut fields = line.split(':');
                let (user, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
                Some(Self { uid: uid.parse().ok()?, gid: gid.parse().ok()? }).filter(|_| user == name)
            })
        };
        named("postgres").or_else(|| named("nobody"))
    }
}

fn folder(path: &OsStr, debian: &Path) -> Result<PathBuf, String> {
    let has_both = |folder: &PathBuf| ["initdb", "postgres"].iter().all(|program| folder.join(program).is_file());
    let on_path = env::split_paths(path).find(has_both);
    on_path.or_else(|| newest_first(debian).map(|version| version.join("bin")).find(has_both)).ok_or_else(|| {
        format!(
            "no `initdb` and `postgres` on the path or in {}: install PostgreSQL (Debian: apt-get install postgresql), \
             start Docker, or set DATABASE_URL",
            debian.display()
        )
    })
}

/// Debian's folders of major versions, newest first.
fn newest_first(debian: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(debian).into_iter().flatten();
    let version = |entry: fs::DirEntry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path()));
    let mut versions: Vec<_> = entries.filter_map(|entry| version(entry.ok()?)).collect();
    versions.sort_unstable();
    versions.into_iter().rev().map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        for program in ["initdb", "postgres"] {
            fs::write(folder.join(program), "").unwrap();
        }
    }

    #[test]
    fn programs_in_path_come_before_debians_newest() {
        let root = tempfile::tempdir().unwrap();
        let (own, debian) = (root.path().join("own"), root.path().join("debian"));
        let missing = folder(own.as_os_str(), &debian).unwrap_err();
        assert!(missing.contains("`initdb`") && missing.contains("apt-get install postgresql"), "{missing}");
        for version in ["9", "13", "15"] {
            install(&debian.join(version).join("bin"));
        }
        fs::create_dir_all(debian.join("17/bin")).unwrap();
        assert_eq!(folder(own.as_os_str(), &debian), Ok(debian.join("15/bin")), "17 has no server");
        install(&own);
        assert_eq!(folder(own.as_os_str(), &debian), Ok(own));
    }

    #[test]
    fn the_user_postgres_comes_before_nobody() {
        let nobody = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n";
        assert_eq!(User::find(nobody), Some(User { uid: 65534, gid: 65534 }));
        let both = format!("{nobody}postgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n");
        assert_eq!(User::find(&both), Some(User { uid: 101, gid: 104 }));
        assert_eq!(User::find("root:x:0:0::/root:/bin/sh"), None);
    }
}
