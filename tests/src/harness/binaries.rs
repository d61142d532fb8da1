//! The programs under test. Cargo does not build another package's binaries for a test, so this does.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

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

impl Binaries {
    /// Builds both, once in a process, in the profile that this is built in.
    ///
    /// # Panics
    /// When they do not build.
    #[must_use]
    pub fn built() -> &'static Self {
        static BUILT: OnceLock<Binaries> = OnceLock::new();
        BUILT.get_or_init(build)
    }
}

fn build() -> Binaries {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let mut command = Command::new(cargo);
    command
        .args(["build", "--locked", "--package", "tokend", "--package", "tokenctl", "--bins"])
        .args(["--message-format", "json-render-diagnostics", "--manifest-path"])
        .arg(manifest)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    // A test's environment describes this package. Build scripts that watch such variables (ring's does) would run anew,
    // and again in the next build from outside, each time with all that depends on them.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| OF_THIS_PACKAGE.iter().any(|prefix| name.starts_with(prefix))) {
            command.env_remove(name);
        }
    }
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let output = command.output().expect("cargo can be run");
    assert!(output.status.success(), "tokend and tokenctl do not build");
    let find = |name: &str| executable(&output.stdout, name).unwrap_or_else(|| panic!("cargo built no {name}"));
    Binaries { tokend: find("tokend"), tokenctl: find("tokenctl") }
}

/// The path of a program in cargo's messages.
fn executable(messages: &[u8], name: &str) -> Option<PathBuf> {
    let messages = messages.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    messages
        .filter(|message: &serde_json::Value| message["target"]["name"] == name)
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
}
