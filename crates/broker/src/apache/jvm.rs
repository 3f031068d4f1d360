//! JVM commands for a broker and for Kafka's tools.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use super::{Error, KAFKA_VERSION};
use crate::jars::java;
use crate::log;
use crate::supervise::NO_SUCH_PROGRAM;

/// The error of a JVM that is older than the class files.
const TOO_OLD: &str = "UnsupportedClassVersionError";

/// A Java program, its class path and its flags.
#[derive(Clone, Debug)]
pub(super) struct Jvm {
    java: PathBuf,
    class_path: OsString,
    heap_mib: u32,
    short_lived: bool,
}

impl Jvm {
    /// The `java` of `JAVA_HOME`, else of `PATH`.
    pub(super) fn new(class_path: OsString, heap_mib: u32, short_lived: bool) -> Self {
        Self { java: java(), class_path, heap_mib, short_lived }
    }

    /// The command of a broker with the `server.properties` in `folder`.
    pub(super) fn broker(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.java);
        command.arg(format!("-Xmx{}m", self.heap_mib));
        if self.short_lived {
            command.args(QUICK);
        } else {
            // The flags of Kafka's start script.
            command.args([
                "-server",
                "-XX:+UseG1GC",
                "-XX:MaxGCPauseMillis=20",
                "-XX:InitiatingHeapOccupancyPercent=35",
            ]);
        }
        command
            .args(["-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true"])
            .arg("-Dlog4j2.configurationFile=log4j2.properties")
            .arg("-cp")
            .arg(&self.class_path)
            .args(["kafka.Kafka", "server.properties"])
            .current_dir(folder);
        command
    }

    /// The command of Kafka's storage tool, which formats a broker's folder for the cluster with this id.
    pub(super) fn format(&self, folder: &Path, cluster_id: &str) -> Command {
        let mut command = Command::new(&self.java);
        command
            .arg("-Xmx128m")
            .args(QUICK)
            .arg("-cp")
            .arg(&self.class_path)
            .args(["kafka.tools.StorageTool", "format", "--ignore-formatted"])
            .args(["--cluster-id", cluster_id, "--config", "server.properties"])
            .current_dir(folder);
        command
    }

    /// The error for a JVM of this broker that exited; `output` is the file it printed to.
    pub(super) fn exit_error(
        &self,
        broker: i32,
        status: ExitStatus,
        output: &Path,
        broker_log: Option<&Path>,
    ) -> Error {
        let program = self.java.display().to_string();
        if status.code() == Some(NO_SUCH_PROGRAM) {
            return Error::ProgramMissing { program, install: "a JDK 17 or newer (or set JAVA_HOME to one)" };
        }
        let printed = log::tail(output);
        if printed.contains(TOO_OLD) {
            return Error::JavaTooOld { program, version: KAFKA_VERSION };
        }
        let log = broker_log.map(log::tail).into_iter().chain([printed]).collect::<Vec<_>>().join("\n");
        Error::Exited { broker, status, log }
    }
}

/// Fast start: C1 only, serial garbage collector.
const QUICK: [&str; 3] = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"];
