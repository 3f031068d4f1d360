//! Servers in containers, run by the `docker` program.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use millrace_broker::port;
use tokio::time::Instant;
use uuid::Uuid;

use crate::blocking::blocking;

/// How long a query of the Docker engine may take.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a pull or a first run may take; images are up to 400 MB.
const PULL_TIMEOUT: Duration = Duration::from_mins(5);

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Removes the container `$1` with the program `$0` when its input is closed, which the kernel does however this
/// process ends. It ignores termination signals.
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

/// A server to run.
#[derive(Debug)]
pub(crate) struct Service {
    /// The image, with its tag.
    pub(crate) image: String,
    /// Its port in the container.
    pub(crate) port: u16,
    /// Its environment.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// Its arguments.
    pub(crate) arguments: Vec<&'static str>,
}

/// A running container; it is removed when this is dropped or this process ends.
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

    /// Starts a server on a free port of 127.0.0.1, which is passed to `service`. The server may not be ready yet.
    ///
    /// # Errors
    /// The reason, if the engine, a port or the image is missing.
    pub(crate) async fn run(&self, service: impl FnOnce(u16) -> Service + Send + 'static) -> Result<Container, String> {
        let docker = self.clone();
        blocking(move || docker.run_blocking(service)).await
    }

    fn run_blocking(&self, service: impl FnOnce(u16) -> Service) -> Result<Container, String> {
        if !self.succeeds(&["info"], ENGINE_TIMEOUT) {
            return Err("no Docker engine answers".to_owned());
        }
        let port = port::free(1, &[]).and_then(|ports| ports.first().copied()).ok_or("no port is free")?;
        let Service { image, port: inside, environment, arguments } = service(port);
        if !self.succeeds(&["image", "inspect", &image], ENGINE_TIMEOUT)
            && !self.succeeds(&["pull", "--quiet", &image], PULL_TIMEOUT)
        {
            return Err(format!("Docker has no image {image} and cannot pull it"));
        }
        let name = format!("millrace-test-{}", Uuid::now_v7().simple());
        // Starts before the container, so that the container is always removed.
        let container = Container::new(&self.program, &name, port).map_err(|error| format!("no shell: {error}"))?;
        let mut run: Vec<String> = ["run", "--detach", "--rm", "--name", &name].map(str::to_owned).to_vec();
        run.extend(["--publish".to_owned(), format!("127.0.0.1:{port}:{inside}")]);
        for (name, value) in environment {
            run.extend(["--env".to_owned(), format!("{name}={value}")]);
        }
        run.push(image);
        run.extend(arguments.into_iter().map(str::to_owned));
        let run: Vec<&str> = run.iter().map(String::as_str).collect();
        if self.succeeds(&run, PULL_TIMEOUT) { Ok(container) } else { Err("Docker cannot run a container".to_owned()) }
    }

    /// Whether the program succeeds before the time-out.
    fn succeeds(&self, arguments: &[&str], timeout: Duration) -> bool {
        let running = Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut running) = running else { return false };
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            match running.try_wait() {
                Ok(Some(status)) => return status.success(),
                Ok(None) => std::thread::sleep(POLL_INTERVAL),
                Err(_) => break,
            }
        }
        // Fails if it has exited since.
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

    /// Its published port of 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.alive = None;
        // Docker itself reports a container that cannot be removed.
        let _ = self.removal.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;

    use super::*;

    /// A program that logs its arguments, and fails if they begin with `failing`.
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

    /// On a port of the loopback interface.
    #[tokio::test]
    async fn a_container_is_run_and_removed_when_dropped() {
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
    async fn a_missing_image_is_pulled() {
        let (docker, folder) = docker_that_fails("image");
        drop(docker.run(service).await.unwrap());
        assert!(calls(&folder).contains(&"pull --quiet server:1".to_owned()));
    }

    #[tokio::test]
    async fn a_missing_engine_or_program_is_an_error() {
        let (docker, folder) = docker_that_fails("info");
        assert_eq!(docker.run(service).await.unwrap_err(), "no Docker engine answers");
        assert_eq!(calls(&folder), ["info"]);
        let nowhere = Docker::new("millrace-has-no-such-program");
        assert_eq!(nowhere.run(service).await.unwrap_err(), "no Docker engine answers");
    }

    #[tokio::test]
    async fn a_container_that_fails_to_run_is_removed() {
        let (docker, folder) = docker_that_fails("run");
        assert_eq!(docker.run(service).await.unwrap_err(), "Docker cannot run a container");
        assert!(calls(&folder).pop().unwrap().starts_with("rm --force"));
    }
}
