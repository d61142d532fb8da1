//! What is wrong with secrets is named, and the secrets are not.

use super::*;

const EXPECTED: &str =
    "{ credential = \"NAME\" }, { file = \"/PATH\" }, { env = \"VARIABLE\" } or { command = [\"/PROGRAM\", …] }";

fn with(source: &str) -> String {
    CAMPUS.replace("{ env = \"LEGACY_SECRET\" }", source)
}

#[test]
fn a_missing_secret() {
    let machine = Machine::new();
    for (source, problem) in [
        (
            "{ env = 'GONE' }",
            "environment variable GONE: the variable is not set in the daemon's environment; set it (in a unit: \
             EnvironmentFile=), or name another source",
        ),
        (
            "{ file = 'DIR/gone' }",
            "file DIR/gone: the file does not exist; create it with the secret alone in it, mode 0600, owned by root or by \
             the daemon's user",
        ),
        (
            "{ credential = 'gone' }",
            "credential \"gone\": the unit has no such credential; add LoadCredential=gone:PATH to it and restart it",
        ),
    ] {
        let expected = format!("tokend.toml:5: profiles.campus.client_secret: {problem}");
        assert_eq!(machine.errors(&with(source)), [expected], "{source}");
    }
    let missing = CAMPUS.replace("client_secret = { env = \"LEGACY_SECRET\" }\n", "");
    let expected = format!("tokend.toml:2: profiles.campus.client_secret: is missing; expected {EXPECTED}");
    assert_eq!(machine.errors(&missing), [expected]);
}

#[test]
fn a_secret_file_that_others_can_read() {
    let machine = Machine::new();
    machine.file("open", "hunter2", 0o644);
    machine.file("empty", "\n", 0o600);
    for (name, problem) in [
        ("open", "others have access to it (mode 0644); chmod o= DIR/open"),
        ("empty", "there is nothing in it; it has to hold the secret alone"),
        ("credentials", "it is not a regular file; name a file that holds the secret alone"),
    ] {
        let errors = machine.errors(&with(&format!("{{ file = 'DIR/{name}' }}")));
        assert_eq!(errors, [format!("tokend.toml:5: profiles.campus.client_secret: file DIR/{name}: {problem}")]);
    }
}

#[test]
fn a_bare_secret_is_refused_and_never_repeated() {
    let machine = Machine::new();
    let bare = format!(
        "tokend.toml:5: profiles.campus.client_secret: is a bare string, and a secret never stands in the configuration \
         itself; expected {EXPECTED}"
    );
    assert_eq!(machine.errors(&with("\"hunter2\"")), [bare.as_str()]);
    assert_eq!(machine.errors(&with("[\"hunter2\", { env = 'LEGACY_SECRET' }]")), [bare.as_str()]);
    for source in [
        "hunter2",
        "\"hunter2",
        "hunter2\"",
        "{ hunter2 }",
        "{ \"hunter2\" }",
        "{ hunter2 = 1 }",
        "{ secret = \"hunter2\" }",
        "{ env = \"hunter2-x\" }",
        "{ env = hunter2 }",
        "{ file = \"hunter2\" }",
        "{ credential = \"/hunter2\" }",
        "{ command = \"hunter2\" }",
        "{ command = [\"hunter2\"] }",
        "{ command = [\"/bin/true\", 5, \"hunter2\"] }",
        "[[\"hunter2\"]]",
        "\"\"\"\nhunter2\n",
        "\"hunter2\\q\"",
        "2024-13-45hunter2",
        "hunter2 = hunter2",
    ] {
        let errors = machine.errors(&with(source));
        assert!(!errors.is_empty() && errors.iter().all(|error| !error.contains("hunter2")), "{source}: {errors:?}");
    }
}

#[test]
fn a_source_that_is_none_or_several() {
    let machine = Machine::new();
    let key = "profiles.campus.client_secret";
    for (source, message) in [
        ("{}", format!("{key}: names 0 sources; expected one of {EXPECTED}")),
        ("{ env = 'LEGACY_SECRET', file = '/x' }", format!("{key}: names 2 sources; expected one of {EXPECTED}")),
        ("[]", format!("{key}: is a list of 0; expected 1 to 8")),
        ("true", format!("{key}: names no source of a secret; expected {EXPECTED}")),
        (
            "{ environment = 'x' }",
            format!("{key}: holds a key that is unknown; expected one of credential, file, env and command"),
        ),
        ("{ credentials = 'x' }", format!("{key}: holds a key that is unknown; did you mean credential?")),
        ("{ file = 'x' }", format!("{key}.file: is not an absolute path; expected a path that starts with '/'")),
        ("{ env = 5 }", format!("{key}.env: is a whole number; expected a variable's name, such as \"LEGACY_SECRET\"")),
        (
            "{ credential = '../x' }",
            format!(
                "{key}.credential: is no credential's name; expected the name that LoadCredential= gives it, without a slash"
            ),
        ),
        (
            "{ command = ['fetch'] }",
            format!(
                "{key}.command: is no command (none is run by a shell or searched for); expected a list of a program's \
                 absolute path and its arguments, such as [\"/usr/local/bin/fetch-password\", \"central\"]"
            ),
        ),
    ] {
        assert_eq!(machine.errors(&with(source)), [format!("tokend.toml:5: {message}")], "{source}");
    }
}

#[test]
fn one_source_of_a_list_is_enough() {
    let machine = Machine::new();
    assert_eq!(
        machine.warnings(&with("[\n{ env = 'GONE' },\n{ env = 'LEGACY_SECRET' }]")),
        [
            "tokend.toml:6: profiles.campus.client_secret: environment variable GONE: the variable is not set in the daemon's \
          environment; set it (in a unit: EnvironmentFile=), or name another source"
        ]
    );
    assert_eq!(machine.errors(&with("[{ env = 'GONE' }, { file = 'DIR/gone' }]")).len(), 2);
}

#[test]
fn no_command_is_run() {
    let machine = Machine::new();
    let ran = machine.folder.path().join("ran");
    for command in ["['/usr/bin/touch', 'DIR/ran']", "['/no/such/program']"] {
        let text = with(&format!("{{ command = {command} }}"));
        assert_eq!(machine.warnings(&text), Vec::<String>::new());
        assert!(machine.read(&text, Purpose::Check).is_ok());
    }
    assert!(!ran.exists());
}

#[test]
fn a_password_is_one_source_and_is_read_too() {
    let login = |password: &str| {
        format!(
            "{LEGACY}cluster = 'EU-1'\n[profiles.legacy.login]\nusername = 'u'\ncustomer_id = 'c'\npassword = {password}"
        )
    };
    let machine = Machine::new();
    let key = "tokend.toml:10: profiles.legacy.login.password";
    let list = format!("{key}: is a list; expected one of {EXPECTED}");
    assert_eq!(machine.errors(&login("[{ env = 'LEGACY_SECRET' }]")), [list]);
    assert_eq!(machine.errors(&login("{ env = 'GONE' }")).len(), 1);
    assert_eq!(machine.warnings(&login("{ env = 'LEGACY_SECRET' }")), Vec::<String>::new());
}

#[test]
fn a_state_key_is_64_hex_digits() {
    let machine = Machine::new();
    machine.file("short.key", "hunter2", 0o600);
    machine.file("good.key", &format!("{}\n", "aB".repeat(32)), 0o600);
    let text = |name: &str| format!("{CAMPUS}[state]\nkey = {{ file = 'DIR/{name}' }}");
    assert_eq!(
        machine.errors(&text("short.key")),
        [
            "tokend.toml:7: state.key: file DIR/short.key: it is no key; expected 64 hex digits, such as `openssl rand -hex \
          32` prints"
        ]
    );
    assert_eq!(machine.warnings(&text("good.key")), Vec::<String>::new());
}

#[test]
fn outside_of_the_unit_check_says_which_credentials_it_did_not_read() {
    let machine = Machine::new();
    let outside = ProcessEnv::new([], machine.environment.process_env.uid(), machine.environment.process_env.gid());
    let environment =
        Environment { process_env: Arc::new(outside), accounts: Arc::new(Directory), ..machine.environment.clone() };
    machine.file("tokend.toml", &with("{ credential = 'campus' }"), 0o644);
    let path = machine.folder.path().join("tokend.toml");

    let report = check(&path, &environment);
    assert_eq!(report.errors, []);
    let expected = "credentials were not looked at (1): $CREDENTIALS_DIRECTORY is set only in the unit";
    assert_eq!(report.warnings, [format!("{}: {expected}", path.display())]);

    let config = Config::reload(&path, &environment, &Numbers::default()).expect("it is applied");
    let expected = ": credential \"campus\": $CREDENTIALS_DIRECTORY is not set";
    assert!(config.warnings[0].contains(expected), "{:?}", config.warnings);
    assert!(check(&path, &machine.environment).errors.is_empty());
}

#[test]
fn to_root_a_secret_file_of_a_services_user_is_not_an_error() {
    let machine = Machine::new();
    machine.file("tokend.toml", &with("{ file = 'DIR/msp.secret' }").replace("DIR", &machine.dir()), 0o644);
    let secret = machine.folder.path().join("msp.secret");
    if nix::unistd::geteuid().is_root() {
        nix::unistd::chown(&secret, Some(4242.into()), None).expect("root may");
    }
    let as_root = ProcessEnv::new([], 0, machine.environment.process_env.gid());
    let environment =
        Environment { process_env: Arc::new(as_root), accounts: Arc::new(Directory), ..machine.environment.clone() };
    let path = machine.folder.path().join("tokend.toml");

    let report = check(&path, &environment);
    assert_eq!(report.errors, []);
    assert!(report.warnings[0].ends_with("; right only if tokend runs as that user or group"), "{:?}", report.warnings);
    let config = Config::reload(&path, &environment, &Numbers::default()).expect("it is applied");
    assert!(
        config.warnings[0].contains("has access") || config.warnings[0].contains("belongs to"),
        "as root it is odd"
    );
}

#[test]
fn an_error_and_a_config_show_no_secret_when_they_are_debugged() {
    let config = whole_machine().load(EVERYTHING).expect("it is right");
    assert!(!format!("{config:?}").contains("hunter2"));
}
