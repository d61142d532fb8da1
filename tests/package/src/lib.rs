//! The Debian package: what is in it that no compiler makes, and the programs that put it together.
//!
//! [`build`] compiles both programs, lays out in `target/package/stage` what the package will hold, and has cargo-deb
//! pack it as `[package.metadata.deb]` in `daemon/Cargo.toml` says. The manual pages and the completions come from the
//! programs' own definitions ([`man`], `stage`), so that the generators are in neither program.
//!
//! Not here: the units (`systemd/`) and the maintainer scripts (`daemon/debian/`), which are files.

mod cargo_deb;
mod changelog;
pub mod man;
mod notices;
mod programs;
mod stage;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

pub use programs::Profile;

/// What is to be built.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The package's version, such as `0.1.0-1`; the workspace's with `-1` if not said.
    pub version: Option<String>,
    /// Where the package goes; `target/package` if not said.
    pub out: Option<PathBuf>,
    /// How the programs are compiled.
    pub profile: Profile,
    /// Takes the programs of the last build, whatever has changed since.
    pub keep_programs: bool,
    /// Installs cargo-deb from the registry where it is missing. Tests do not: they stay on this machine.
    pub install_tool: bool,
}

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The programs.
    #[error("{0} does not build")]
    Build(&'static str),
    /// A program that is needed cannot be run, or fails.
    #[error("{program} {problem}")]
    Tool {
        /// Its name.
        program: String,
        /// What it did.
        problem: String,
    },
    /// cargo-deb is not there, and could not or was not to be installed.
    #[error(
        "cargo-deb {version} is neither in target/cargo-deb-tool nor in the PATH, and was not installed; \
         with a network: cargo install --locked --root target/cargo-deb-tool cargo-deb@{version}",
        version = cargo_deb::VERSION
    )]
    NoCargoDeb,
    /// A file.
    #[error("{} cannot be {doing}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl PackageError {
    fn file(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), doing, source }
    }
}

/// Builds the package; returns where it is. One build at a time: another one in the same tree waits.
///
/// # Errors
/// When anything does not build; what cargo and cargo-deb have to say is on stderr.
pub fn build(options: &Options) -> Result<PathBuf, PackageError> {
    let root = root();
    let work = root.join("target/package");
    fs::create_dir_all(&work).map_err(PackageError::file(&work, "made"))?;
    let _alone = alone(&work)?;
    let tool = cargo_deb::find(&root, options.install_tool)?;
    let version = options.version.clone().unwrap_or_else(|| format!("{}-1", env!("CARGO_PKG_VERSION")));
    let programs = if options.keep_programs {
        programs::Programs::of_the_last_build(&work)
    } else {
        programs::Programs::build(&root, &work, options.profile)?
    };
    stage::lay_out(&root, &work.join("stage"), &programs, &version)?;
    let out = options.out.clone().unwrap_or(work);
    cargo_deb::pack(&tool, &root, &version, &out)
}

/// Builds the command line as the package has it; returns its path.
///
/// # Errors
/// When it does not build.
pub fn static_tokenctl(profile: Profile) -> Result<PathBuf, PackageError> {
    let root = root();
    let work = root.join("target/package");
    let folder = work.join("tokenctl");
    fs::create_dir_all(&folder).map_err(PackageError::file(&folder, "made"))?;
    let _alone = alone(&work)?;
    let program = folder.join("tokenctl");
    programs::Programs::build_tokenctl(&root, &program, profile)?;
    Ok(program)
}

/// The folder of the workspace.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the crate is in tests/ of the workspace").to_owned()
}

/// Held until it is dropped.
fn alone(work: &Path) -> Result<File, PackageError> {
    let path = work.join("lock");
    let lock = File::create(&path).map_err(PackageError::file(&path, "made"))?;
    lock.lock().map_err(PackageError::file(&path, "locked"))?;
    Ok(lock)
}

/// When this was made, for manual pages and archives: the last commit, so that the same sources make the same package.
fn source_date_epoch(root: &Path) -> i64 {
    let said = std::env::var("SOURCE_DATE_EPOCH").ok();
    let text = said.or_else(|| {
        let output =
            std::process::Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(root).output().ok()?;
        String::from_utf8(output.stdout).ok()
    });
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
