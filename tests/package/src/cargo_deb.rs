//! cargo-deb: where it is, and its arguments.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::programs::run;
use super::{PackageError, source_date_epoch};

/// The version that `[package.metadata.deb]` was written for. Compiling it takes some minutes, once.
pub(super) const VERSION: &str = "3.8.0";

/// The program: installed by us, in the PATH, or installed now if that may be.
pub(super) fn find(root: &Path, may_install: bool) -> Result<PathBuf, PackageError> {
    let folder = root.join("target/cargo-deb-tool");
    let own = folder.join("bin/cargo-deb");
    let is_right =
        |program: &Path| run(Command::new(program).arg("--version")).is_ok_and(|text| text.contains(VERSION));
    if is_right(&own) {
        return Ok(own);
    }
    if is_right(Path::new("cargo-deb")) {
        return Ok("cargo-deb".into());
    }
    if !may_install {
        return Err(PackageError::NoCargoDeb);
    }
    let mut install = binaries::cargo();
    install.args(["install", "--quiet", "--locked", &format!("cargo-deb@{VERSION}"), "--root"]).arg(&folder);
    run(&mut install).map_err(|_| PackageError::NoCargoDeb)?;
    Ok(own)
}

/// Packs what lies in the stage.
pub(super) fn pack(tool: &Path, root: &Path, version: &str, out: &Path) -> Result<PathBuf, PackageError> {
    fs::create_dir_all(out).map_err(PackageError::file(out, "made"))?;
    let out = fs::canonicalize(out).map_err(PackageError::file(out, "found"))?;
    // Debug symbols have been taken away already, and there is nothing to compile.
    let printed = run(Command::new(tool)
        .args(["--no-build", "--no-strip", "--quiet", "--deb-version", version, "--manifest-path"])
        .arg(root.join("daemon/Cargo.toml"))
        .arg("--output")
        .arg(&out)
        .env("SOURCE_DATE_EPOCH", source_date_epoch(root).to_string()))?;
    let path = printed.lines().last().map(|line| PathBuf::from(line.trim()));
    path.filter(|path| path.is_file()).ok_or_else(|| PackageError::Tool {
        program: "cargo-deb".to_owned(),
        problem: format!("did not say where the package is: {printed:?}"),
    })
}
