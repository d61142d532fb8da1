//! What `tokend check` finds out about the machine.

use super::*;

/// Errors and warnings of a check, without what is about the profile.
fn found(machine: &Machine, server: &str) -> (Vec<String>, Vec<String>) {
    let text = format!("[server]\n{server}{CAMPUS}");
    let report = match machine.read(&text, Purpose::Check) {
        Ok(config) => Report { errors: Vec::new(), warnings: config.warnings },
        Err(report) => report,
    };
    let shown = |text: String| text.replace(&machine.dir(), "DIR");
    let errors = report.errors.iter().map(|error| shown(error.to_string())).collect();
    (errors, report.warnings.into_iter().map(shown).collect())
}

#[test]
fn a_state_folder_that_cannot_be_used_is_an_error() {
    let machine = Machine::new();
    machine.file("file", "", 0o600);
    std::fs::create_dir(machine.folder.path().join("open")).expect("made");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(machine.folder.path().join("open"), open).expect("mode set");
    for (typed, problem) in [
        ("DIR/file", "DIR/file is not a folder; expected the path of one"),
        ("DIR/open", "DIR/open can be written by others (mode 0777); `chmod 0700` it"),
        (
            "DIR/a/b",
            "DIR/a/b is not there, nor is the folder it would be in; expected a folder that can be made or is there",
        ),
    ] {
        let (errors, _) = found(&machine, &format!("state_dir = '{typed}'\n"));
        assert_eq!(errors, [format!("tokend.toml:2: server.state_dir: {problem}")]);
    }
    assert_eq!(found(&machine, "state_dir = 'DIR/new'\n"), (vec![], vec![]));
    assert!(!machine.folder.path().join("new").exists(), "it is only looked");
}

#[test]
fn where_the_socket_cannot_be_is_said() {
    let machine = Machine::new();
    machine.file("file", "", 0o600);
    let (errors, _) = found(&machine, "socket = 'DIR/file'\n");
    let problem = "DIR/file is there and is no socket; expected a path at which nothing is, or a socket";
    assert_eq!(errors, [format!("tokend.toml:2: server.socket: {problem}")]);
    let (errors, warnings) = found(&machine, "socket = 'DIR/none/x.sock'\n");
    let problem = "the folder DIR/none is not there; right only if systemd hands over the socket, or makes the folder";
    assert_eq!((errors, warnings), (vec![], vec![format!("tokend.toml:2: server.socket: {problem}")]));
}

#[test]
fn more_connections_than_descriptors_are_said() {
    let (errors, warnings) = found(&Machine::new(), "max_connections = 4294967295\n");
    assert_eq!(errors, Vec::<String>::new());
    assert!(
        matches!(&warnings[..], [one] if one.starts_with("tokend.toml:2: server.max_connections: 4294967295 connections and")),
        "{warnings:?}"
    );
}

#[test]
fn everything_is_said_at_once() {
    let machine = Machine::new();
    let text = "[server]\nstate_dir = 'DIR/a/b'\nmax_connections = 0\n[refresh]\nat = 2\n[profiles.campus]\nkind = 'centrel'\n\
                clientid = 'x'\nclient_secret = { env = 'UNSET' }\nca_file = 'DIR/none.pem'\n[[access]]\nprofiles = ['campus']\n\
                colour = 1\n[sever]\n";
    let report = machine.read(text, Purpose::Check).map(|_| ()).expect_err("it is wrong");
    let lines: Vec<_> = report.errors.iter().map(|error| error.line).collect();
    assert_eq!(lines, [3, 5, 7, 8, 9, 10, 11, 13, 14].map(Some), "{:#?}", report.errors);
}
