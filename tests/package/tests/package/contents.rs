//! What is in the package, and what lintian says of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use package::{Options, PackageError, Profile, build};

/// The package, in a folder of this test's own; `None` where packages are not a thing.
fn package() -> Option<&'static Path> {
    static PACKAGE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let made = PACKAGE.get_or_init(|| {
        if Command::new("dpkg-deb").arg("--version").output().is_err() {
            return Err("there is no dpkg-deb here".to_owned());
        }
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("package");
        let options = Options {
            version: Some("0.1.0~test-1".into()),
            out: Some(out),
            profile: Profile::Dev,
            ..Options::default()
        };
        match build(&options) {
            Ok(package) => Ok(package),
            Err(error @ PackageError::NoCargoDeb) => Err(error.to_string()),
            Err(error) => panic!("{}", tokend::error::chain(&error)),
        }
    });
    made.as_deref().map_err(skipped::because).ok()
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("it can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Modes of all files, by path.
fn files(package: &Path) -> BTreeMap<String, String> {
    let listing = output(Command::new("dpkg-deb").arg("-c").arg(package));
    let lines = listing.lines().filter(|line| !line.starts_with('d'));
    lines
        .map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            assert_eq!(fields[1], "0/0", "{line}");
            (fields[5].trim_start_matches('.').to_owned(), fields[0].to_owned())
        })
        .collect()
}

#[test]
fn the_package_holds_what_a_service_and_a_person_need() {
    let Some(package) = package() else { return };
    let files = files(package);
    let mode = |path: &str| files.get(path).unwrap_or_else(|| panic!("{path} is not in {files:#?}")).as_str();
    for program in ["/usr/sbin/tokend", "/usr/bin/tokenctl"] {
        assert_eq!(mode(program), "-rwxr-xr-x");
    }
    assert_eq!(mode("/etc/tokend/tokend.toml"), "-rw-r-----");
    for file in [
        "/usr/lib/systemd/system/tokend.service",
        "/usr/lib/systemd/system/tokend.socket",
        "/usr/lib/systemd/user/tokend.service",
        "/usr/lib/systemd/user/tokend.socket",
        "/usr/lib/sysusers.d/tokend.conf",
        "/usr/lib/tmpfiles.d/tokend.conf",
        "/usr/share/man/man8/tokend.8.gz",
        "/usr/share/man/man5/tokend.toml.5.gz",
        "/usr/share/man/man1/tokenctl.1.gz",
        "/usr/share/bash-completion/completions/tokend",
        "/usr/share/bash-completion/completions/tokenctl",
        "/usr/share/zsh/vendor-completions/_tokend",
        "/usr/share/zsh/vendor-completions/_tokenctl",
        "/usr/share/fish/vendor_completions.d/tokend.fish",
        "/usr/share/fish/vendor_completions.d/tokenctl.fish",
        "/usr/share/doc/tokend/copyright",
        "/usr/share/doc/tokend/changelog.Debian.gz",
        "/usr/share/doc/tokend/NEWS.gz",
        "/usr/share/doc/tokend/third-party.gz",
    ] {
        assert_eq!(mode(file), "-rw-r--r--", "{file}");
    }
    assert!(files.keys().all(|path| !path.starts_with("/var") && !path.starts_with("/run")), "{files:#?}");
}

#[test]
fn the_package_says_what_it_is_and_what_is_a_conffile() {
    let Some(package) = package() else { return };
    let field = |name: &str| output(Command::new("dpkg-deb").arg("-f").arg(package).arg(name)).trim().to_owned();
    assert_eq!(field("Package"), "tokend");
    assert_eq!(field("Version"), "0.1.0~test-1");
    assert!(
        field("Depends").contains("systemd (>= 252)") && field("Depends").contains("libc6"),
        "{}",
        field("Depends")
    );
    assert_eq!(
        output(Command::new("dpkg-deb").args(["-I"]).arg(package).arg("conffiles")),
        "/etc/tokend/tokend.toml\n"
    );
}

#[test]
fn no_script_touches_the_socket_but_a_removal() {
    let Some(package) = package() else { return };
    let script = |name: &str| output(Command::new("dpkg-deb").arg("-I").arg(package).arg(name));
    for name in ["postinst", "prerm", "postrm"] {
        for line in script(name).lines().filter(|line| line.contains("deb-systemd-invoke") && line.contains(".socket"))
        {
            assert_eq!((name, line.trim().starts_with("deb-systemd-invoke stop ")), ("prerm", true), "{line}");
        }
    }
    assert!(script("postinst").contains("deb-systemd-invoke try-restart tokend.service"));
    assert!(!script("postinst").contains("enable --now"));
}

#[test]
fn tokenctl_needs_no_library_and_tokend_no_other_than_the_c_library() {
    let Some(package) = package() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    output(Command::new("dpkg-deb").arg("-x").arg(package).arg(folder.path()));
    let needed = |program: &str| {
        let text = output(Command::new("readelf").args(["--dynamic", "--wide"]).arg(folder.path().join(program)));
        text.lines().filter(|line| line.contains("(NEEDED)")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(needed("usr/bin/tokenctl"), Vec::<String>::new());
    let of_tokend = needed("usr/sbin/tokend");
    assert!(!of_tokend.is_empty());
    for line in of_tokend {
        assert!(
            ["libc.so", "libm.so", "libgcc_s.so", "ld-linux"].iter().any(|library| line.contains(library)),
            "{line}"
        );
    }
}

#[test]
fn lintian_has_nothing_to_say() {
    let Some(package) = package() else { return };
    let ran =
        Command::new("lintian").args(["--pedantic", "--allow-root", "--tag-display-limit", "0"]).arg(package).output();
    let Ok(ran) = ran else {
        return skipped::because("there is no lintian here");
    };
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.is_empty(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
}
