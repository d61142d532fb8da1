//! The packages that are installed on the machines.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use package::{Options, PackageError, Profile, build};

/// Names a package to be tested in place of one that is compiled as tests are: the very file that is to be shipped.
const GIVEN: &str = "TOKEND_PACKAGE";

/// The package, and one of the next version with the same content.
pub(crate) struct Packages {
    pub(crate) this: PathBuf,
    pub(crate) next: PathBuf,
}

/// Built once.
///
/// # Errors
/// When this machine has no means to build packages.
pub(crate) fn packages() -> Result<&'static Packages, String> {
    static PACKAGES: OnceLock<Result<Packages, String>> = OnceLock::new();
    PACKAGES.get_or_init(make).as_ref().map_err(Clone::clone)
}

fn make() -> Result<Packages, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("package");
    let this = match std::env::var_os(GIVEN) {
        Some(given) => std::path::absolute(given).expect("there is a current folder"),
        None => {
            let version = Some("0.1.0~test-1".to_owned());
            let options = Options { version, out: Some(folder.clone()), profile: Profile::Dev, ..Options::default() };
            match build(&options) {
                Ok(package) => package,
                Err(error @ PackageError::NoCargoDeb) => return Err(error.to_string()),
                Err(error) => panic!("{}", tokend::error::chain(&error)),
            }
        }
    };
    fs::create_dir_all(&folder).expect("a folder for packages");
    let next = folder.join("next.deb");
    repack(&this, &folder.join("next"), &next);
    Ok(Packages { this, next })
}

/// The same package with a later version.
fn repack(package: &Path, folder: &Path, next: &Path) {
    // A version that sorts after any with the same beginning, deb-version(7).
    let script = "rm -rf \"$2\" && dpkg-deb --raw-extract \"$1\" \"$2\" && \
                  sed -i 's/^Version: .*/&+next/' \"$2/DEBIAN/control\" && \
                  dpkg-deb --root-owner-group --build \"$2\" \"$3\"";
    let output = Command::new("bash").args(["-ec", script, "repack"]).args([package, folder, next]).output();
    let output = output.expect("bash can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
