//! Servers in containers, by the `docker` program.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use millrace_broker::port;
use tokio::time::Instant;
use uuid::Uuid;

use crate::blocking::blocking;

/// An engine that is there answers at once.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// Images are up to 400 MB.
const PULL: Duration = Duration::from_mins(5);

const POLL: Duration = Duration::from_millis(20);

/// Removes the container `$1` with the program `$0` when the other end of its input is closed, which the kernel does
/// when this process ends, in whatever way. It is deaf to the signals that ask for an end.
const REMOVAL: &str = r#"
trap '' HUP INT TERM
read -r _
exec "$0" rm --force --volumes "$1"
"#;

/// The `docker` program.
#[derive(Clone, Debug)]
pub(crate) struct Docker {
    program: PathBuf,
}

/// What to run.
#[derive(Debug)]
pub(crate) struct Service {
    /// The image, with its tag.
    pub(crate) image: String,
    /// The port it listens on inside.
    pub(crate) port: u16,
    /// Its environment.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// What follows the image on the command line.
    pub(crate) arguments: Vec<&'static str>,
}

/// A container with a server; it is removed when this is dropped or this process ends.
#[derive(Debug)]
pub(crate) struct Container {
    port: u16,
    removal: Child,
    alive: Option<ChildStdin>,
}

impl Docker {
    pub(crate) fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    /// Starts a server, which is then coming up on a port of 127.0.0.1; or says why there is none. `service` is told
    /// that port.
    pub(crate) async fn run(&self, service: impl FnOnce(u16) -> Service + Send + 'static) -> Result<Container, String> {
        let docker = self.clone();
        blocking(move || docker.run_blocking(service)).await
    }

    fn run_blocking(&self, service: impl FnOnce(u16) -> Service) -> Result<Container, String> {
        if !self.succeeds(&["info"], START_TIMEOUT) {
            return Err("no Docker engine answers".to_owned());
        }
        let port = port::free(1, &[]).and_then(|ports| ports.first().copied()).ok_or("no port is free")?;
        let Service { image, port: inside, environment, arguments } = service(port);
        if !self.succeeds(&["image", "inspect", &image], START_TIMEOUT)
            && !self.succeeds(&["pull", "--quiet", &image], PULL)
        {
            return Err(format!("Docker has no image {image} and cannot pull it"));
        }
        let name = format!("millrace-test-{}", Uuid::now_v7().simple());
        // Before the container: there is no moment at which it would stay.
        let container = Container::new(&self.program, &name, port).map_err(|error| format!("no shell: {error}"))?;
        let mut run: Vec<String> = ["run", "--detach", "--rm", "--name", &name].map(str::to_owned).to_vec();
        run.extend(["--publish".to_owned(), format!("127.0.0.1:{port}:{inside}")]);
        for (name, value) in environment {
            run.extend(["--env".to_owned(), format!("{name}={value}")]);
        }
        run.push(image);
        run.extend(arguments.into_iter().map(str::to_owned));
        let run: Vec<&str> = run.iter().map(String::as_str).collect();
        if self.succeeds(&run, PULL) { Ok(container) } else { Err("Docker cannot run a container".to_owned()) }
    }

    /// Runs the program; a late end is none.
    fn succeeds(&self, arguments: &[&str], bound: Duration) -> bool {
        let running = Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut running) = running else { return false };
        let deadline = Instant::now() + bound;
        while Instant::now() < deadline {
            match running.try_wait() {
                Ok(Some(status)) => return status.success(),
                Ok(None) => std::thread::sleep(POLL),
                Err(_) => break,
            }
        }
        // It may have ended by now.
        let _ = running.kill();
        let _ = running.wait();
        false
    }
}

impl Container {
    fn new(program: &Path, name: &str, port: u16) -> io::Result<Self> {
        let mut removal = Command::new("/bin/sh")
            .args(["-c", REMOVAL])
            .arg(program)
            .arg(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let alive = removal.stdin.take();
        Ok(Self { port, removal, alive })
    }

    /// The port of 127.0.0.1 that leads to it.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.alive = None;
        // A container that cannot be removed is Docker's to tell.
        let _ = self.removal.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;

    use super::*;

    /// A program that writes down how it is called, and fails where `failing` begins its arguments.
    fn docker_that_fails(failing: &str) -> (Docker, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("docker");
        let calls = folder.path().join("calls");
        let script =
            format!("#!/bin/sh\necho \"$*\" >> '{}'\ncase \"$*\" in {failing}*) exit 1;; esac\n", calls.display());
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        (Docker::new(program), folder)
    }

    fn calls(folder: &TempDir) -> Vec<String> {
        fs::read_to_string(folder.path().join("calls")).unwrap().lines().map(str::to_owned).collect()
    }

    fn service(port: u16) -> Service {
        Service {
            image: "server:1".to_owned(),
            port: 80,
            environment: vec![("PORT", port.to_string())],
            arguments: vec!["-v"],
        }
    }

    #[tokio::test]
    async fn a_container_is_run_on_a_loopback_port_and_removed_when_it_is_dropped() {
        let (docker, folder) = docker_that_fails("nothing");
        let container = docker.run(service).await.unwrap();
        let port = container.port();
        let run = calls(&folder).pop().unwrap();
        assert!(run.contains(&format!("--publish 127.0.0.1:{port}:80")), "{run}");
        assert!(run.ends_with(&format!("--env PORT={port} server:1 -v")), "{run}");
        let name = run.split_once("--name ").unwrap().1.split(' ').next().unwrap().to_owned();

        drop(container);
        assert_eq!(calls(&folder).pop().unwrap(), format!("rm --force --volumes {name}"));
    }

    #[tokio::test]
    async fn an_image_that_is_not_there_is_pulled() {
        let (docker, folder) = docker_that_fails("image");
        drop(docker.run(service).await.unwrap());
        assert!(calls(&folder).contains(&"pull --quiet server:1".to_owned()));
    }

    #[tokio::test]
    async fn without_an_engine_or_a_program_there_is_no_container() {
        let (docker, folder) = docker_that_fails("info");
        assert_eq!(docker.run(service).await.unwrap_err(), "no Docker engine answers");
        assert_eq!(calls(&folder), ["info"]);
        let nowhere = Docker::new("millrace-has-no-such-program");
        assert_eq!(nowhere.run(service).await.unwrap_err(), "no Docker engine answers");
    }

    #[tokio::test]
    async fn a_container_that_does_not_run_is_removed_all_the_same() {
        let (docker, folder) = docker_that_fails("run");
        assert_eq!(docker.run(service).await.unwrap_err(), "Docker cannot run a container");
        assert!(calls(&folder).pop().unwrap().starts_with("rm --force"));
    }
}
