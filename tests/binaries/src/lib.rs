//! The programs under test. Cargo does not build another package's binaries for a test, so this does.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt as _;

/// How the variables begin that cargo sets for what it runs, and that say nothing about how to build.
const OF_THIS_PACKAGE: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// The daemon.
    pub tokend: PathBuf,
    /// The command line.
    pub tokenctl: PathBuf,
}

static BUILT: OnceLock<Binaries> = OnceLock::new();

impl Binaries {
    /// Builds both, once in a process, in the profile that this is built in.
    ///
    /// # Panics
    /// When they do not build.
    #[must_use]
    pub fn built() -> &'static Self {
        BUILT.get_or_init(|| {
            let output = command().output().expect("cargo can be run");
            read(&output).unwrap_or_else(|error| panic!("{error}"))
        })
    }

    /// Takes those of a folder instead of building them, for a comparison with another version. To be called first.
    pub fn take(folder: &Path) {
        BUILT.get_or_init(|| Self { tokend: folder.join("tokend"), tokenctl: folder.join("tokenctl") });
    }

    /// The same in a runtime. The build is ended when this is dropped before it has ended.
    ///
    /// # Errors
    /// When they do not build; cargo has said why on stderr.
    pub async fn build() -> Result<&'static Self, BuildError> {
        if let Some(built) = BUILT.get() {
            return Ok(built);
        }
        // A group of its own: what cargo has started ends with it.
        let mut child = tokio::process::Command::from(command()).process_group(0).spawn().map_err(BuildError::Cargo)?;
        let mut messages = child.stdout.take().expect("it is piped");
        let building = Interrupt(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));
        let mut stdout = Vec::new();
        messages.read_to_end(&mut stdout).await.map_err(BuildError::Cargo)?;
        let status = child.wait().await.map_err(BuildError::Cargo)?;
        building.unneeded();
        let output = Output { status, stdout, stderr: Vec::new() };
        read(&output).map(|built| BUILT.get_or_init(|| built))
    }
}

/// Why there is nothing to start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No cargo.
    #[error("cannot run cargo")]
    Cargo(#[source] io::Error),
    /// It did not compile.
    #[error("tokend and tokenctl do not build")]
    Failed,
    /// A fault here.
    #[error("cargo built no {0}")]
    Missing(&'static str),
}

/// Interrupts a process group that is still at work when this is dropped, as Ctrl-C would.
struct Interrupt(Option<Pid>);

impl Interrupt {
    fn unneeded(mut self) {
        self.0 = None;
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Its leader has not been waited for, so that the id is still its own.
            let _ = killpg(group, Signal::SIGINT);
        }
    }
}

/// cargo, as if a person had called it.
///
/// A test's environment describes its own package. Some build scripts (ring's) watch such variables and would run
/// again, and all that depends on them with them, whenever a person builds and a test builds in turn.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| OF_THIS_PACKAGE.iter().any(|prefix| name.starts_with(prefix))) {
            command.env_remove(name);
        }
    }
    command
}

fn command() -> Command {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let mut command = cargo();
    command
        .args(["build", "--locked", "--package", "tokend", "--package", "tokenctl", "--bins"])
        .args(["--message-format", "json-render-diagnostics", "--manifest-path"])
        .arg(manifest)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command
}

fn read(output: &Output) -> Result<Binaries, BuildError> {
    if !output.status.success() {
        return Err(BuildError::Failed);
    }
    let find = |name| executable(&output.stdout, name).ok_or(BuildError::Missing(name));
    Ok(Binaries { tokend: find("tokend")?, tokenctl: find("tokenctl")? })
}

/// The path of a program in cargo's messages.
#[must_use]
pub fn executable(messages: &[u8], name: &str) -> Option<PathBuf> {
    let messages = messages.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    messages
        .filter(|message: &serde_json::Value| message["target"]["name"] == name)
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
}
