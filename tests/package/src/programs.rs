//! Both programs, compiled and stripped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::PackageError;
use binaries::{cargo, executable};

/// How the programs are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Profile {
    /// As users get them.
    #[default]
    Release,
    /// As tests have them: sooner, and several times as large.
    Dev,
}

/// Stripped programs.
pub(super) struct Programs {
    /// Linked against the C library: users and groups may be known to any service of the machine (nsswitch.conf(5)).
    pub(super) tokend: PathBuf,
    /// Linked statically: nothing has to be loaded each time that a script takes a token.
    pub(super) tokenctl: PathBuf,
}

impl Programs {
    /// Where [`Programs::build`] puts them.
    pub(super) fn of_the_last_build(work: &Path) -> Self {
        let folder = work.join("programs");
        Self { tokend: folder.join("tokend"), tokenctl: folder.join("tokenctl") }
    }

    pub(super) fn build(root: &Path, work: &Path, profile: Profile) -> Result<Self, PackageError> {
        let stripped = Self::of_the_last_build(work);
        let folder = work.join("programs");
        fs::create_dir_all(&folder).map_err(PackageError::file(&folder, "made"))?;
        strip(&compile(root, "tokend", profile, |_| ())?, &stripped.tokend)?;
        Self::build_tokenctl(root, &stripped.tokenctl, profile)?;
        Ok(stripped)
    }

    /// The command line alone, to this path.
    pub(super) fn build_tokenctl(root: &Path, stripped: &Path, profile: Profile) -> Result<(), PackageError> {
        let triple = host()?;
        // With --target the flags are for the program alone, not for build scripts and macros of its dependencies.
        let statically = |command: &mut Command| {
            let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
            command.args(["--target", &triple]).env("RUSTFLAGS", format!("{flags} -C target-feature=+crt-static"));
        };
        strip(&compile(root, "tokenctl", profile, statically)?, stripped)
    }
}

fn compile(
    root: &Path,
    package: &'static str,
    profile: Profile,
    also: impl FnOnce(&mut Command),
) -> Result<PathBuf, PackageError> {
    let mut command = cargo();
    command
        .args(["build", "--locked", "--package", package, "--bin", package])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(root)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    if profile == Profile::Release {
        command.arg("--release");
    }
    also(&mut command);
    let output = command.output().map_err(|error| tool("cargo", &error))?;
    if !output.status.success() {
        return Err(PackageError::Build(package));
    }
    executable(&output.stdout, package).ok_or(PackageError::Build(package))
}

fn strip(from: &Path, to: &Path) -> Result<(), PackageError> {
    run(Command::new("strip").args(["--strip-all", "--remove-section=.comment", "-o"]).arg(to).arg(from)).map(drop)
}

/// The triple of this machine.
pub(super) fn host() -> Result<String, PackageError> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let text = run(Command::new(rustc).arg("-vV"))?;
    let triple = text.lines().find_map(|line| line.strip_prefix("host: "));
    triple.map(str::to_owned).ok_or_else(|| PackageError::Tool {
        program: "rustc".to_owned(),
        problem: "does not say for which machine it compiles".to_owned(),
    })
}

/// Runs a tool to its end; returns what it printed.
pub(super) fn run(command: &mut Command) -> Result<String, PackageError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| tool(&program, &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(PackageError::Tool { program, problem: format!("failed ({}): {}", output.status, stderr.trim()) })
}

fn tool(program: &str, error: &std::io::Error) -> PackageError {
    PackageError::Tool { program: program.to_owned(), problem: format!("cannot be run: {error}") }
}
