//! What is said once for all profiles, and the sources of secrets.

use super::key::Unsaid::{Example, Needed, Words};
use super::key::{Key, Table};

/// The sections.
pub const ROOT: Table = Table {
    header: "",
    doc: "",
    keys: &[
        section("server", "a section [server]"),
        section("state", "a section [state]"),
        section("providers", "a section [providers]"),
        section("refresh", "a section [refresh]"),
        section("audit", "a section [audit]"),
        section("profiles", "sections [profiles.NAME]"),
        section("access", "sections [[access]]"),
    ],
};

const fn section(name: &'static str, value: &'static str) -> Key {
    Key { name, value, default: Words("nothing is said"), example: "{}", doc: "", instead_of: None }
}

/// `[server]`.
pub const SERVER: Table = Table {
    header: "[server]",
    doc: "The socket and the state folder. `socket`, `group` and `state_dir` change only with a restart.",
    keys: &[
        Key {
            name: "socket",
            value: "an absolute path, at most 107 bytes",
            default: Example,
            example: "\"/run/tokend/tokend.sock\"",
            doc: "Where to listen when systemd hands over no socket: with tokend.socket this has no effect. The socket is \
                  made with mode 0660.",
            instead_of: None,
        },
        Key {
            name: "group",
            value: "a group's name or number",
            default: Words("\"tokend-users\" if that exists, else the daemon's own group"),
            example: "\"tokend-users\"",
            doc: "The group of the socket, when tokend makes it: its members may connect. With tokend.socket this has no \
                  effect. As long as a name cannot be found, the socket is the daemon's user's alone; it is looked up again \
                  each minute.",
            instead_of: None,
        },
        Key {
            name: "state_dir",
            value: "an absolute path",
            default: Words("$STATE_DIRECTORY, else \"/var/lib/tokend\""),
            example: "\"/var/lib/tokend\"",
            doc: "Where Classic chains and the times of their logins are kept. Nothing else is: other tokens never touch \
                  the disk.",
            instead_of: None,
        },
        Key {
            name: "max_connections",
            value: "a whole number of at least 1",
            default: Example,
            example: "4096",
            doc: "Connections of all users together. 64 of them are kept for root and the daemon's own user. The hard limit \
                  of file descriptors has to be 256 higher.",
            instead_of: None,
        },
        Key {
            name: "max_connections_per_uid",
            value: "a whole number of at least 1",
            default: Example,
            example: "256",
            doc: "Connections of one user.",
            instead_of: None,
        },
    ],
};

/// `[providers]`.
pub const PROVIDERS: Table = Table {
    header: "[providers]",
    doc: "How fast the providers are asked.",
    keys: &[Key {
        name: "max_requests_per_second",
        value: "a whole number of at least 1",
        default: Example,
        example: "5",
        doc: "For each provider's host. `tokend check` warns where the tenants that are kept fresh need more.",
        instead_of: None,
    }],
};

/// `[refresh]`.
pub const REFRESH: Table = Table {
    header: "[refresh]",
    doc: "When a token is renewed: after `at` to `at` + `jitter` of its life, and in any case a minute before it expires. \
          Classic tokens go by `before` instead.",
    keys: &[
        Key {
            name: "at",
            value: "a number between 0 and 1",
            default: Example,
            example: "0.66",
            doc: "The share of its life after which a token is renewed.",
            instead_of: None,
        },
        Key {
            name: "jitter",
            value: "a number of at least 0; below 1 together with `at`",
            default: Example,
            example: "0.07",
            doc: "How far that is spread, so that many names are not renewed in the same moment.",
            instead_of: None,
        },
    ],
};

/// `[state]`.
pub const STATE: Table = Table {
    header: "[state]",
    doc: "How the records in the state folder are kept. It changes only with a restart.",
    keys: &[Key {
        name: "key",
        value: "one source of a secret: 64 hex digits, as `openssl rand -hex 32` prints them",
        default: Words("the records are not sealed, and protected by their mode alone"),
        example: "{ credential = \"state-key\" }",
        doc: "Seals the Classic chains on disk (XChaCha20-Poly1305). Without the key that sealed them they cannot be read \
              again.",
        instead_of: None,
    }],
};

/// `[[access]]`.
pub const ACCESS: Table = Table {
    header: "[[access]]",
    doc: "Who may read what; the section may stand any number of times. Without any, a process that may open the socket may read \
          everything. With rules, what none of them allows is denied. A rule is for a process when any of its `users`, \
          `groups` or `units` is; one of the three has to be there. Root and the daemon's own user may do everything.",
    keys: &[
        Key {
            name: "profiles",
            value: "a list of patterns",
            default: Needed,
            example: "[\"campus\", \"msp/*\"]",
            doc: "Names of tokens. `*` stands for anything but a slash: `msp/*` is every tenant of `msp`, and not `msp` \
                  itself.",
            instead_of: None,
        },
        Key {
            name: "users",
            value: "a list of names or numbers",
            default: Words("nobody"),
            example: "[\"netops\"]",
            doc: "Users. One that does not exist (yet), or cannot be looked up, is a warning, and is looked up again each \
                  minute. A number that was found before stays in force meanwhile.",
            instead_of: None,
        },
        Key {
            name: "groups",
            value: "a list of names or numbers",
            default: Words("nobody"),
            example: "[\"automation\"]",
            doc: "Groups, of which the process is a member.",
            instead_of: None,
        },
        Key {
            name: "units",
            value: "a list of systemd units",
            default: Words("nobody"),
            example: "[\"aruba-exporter.service\"]",
            doc: "Units of the system's manager in which the process runs: by the whole name, as a template \
                  (`report@.service`: all its instances), or a slice (`automation.slice`: all that is in it). Needs Linux \
                  6.5.",
            instead_of: None,
        },
        Key {
            name: "admin",
            value: "true or false",
            default: Example,
            example: "false",
            doc: "Whether they may also renew these names at once (`tokenctl refresh`) and import chains \
                  (`tokenctl import`).",
            instead_of: None,
        },
    ],
};

/// The sources of a secret: exactly one of the keys.
pub const SECRET: Table = Table {
    header: "{ credential | file | env | command = … }",
    doc: "A secret never stands in the configuration itself. Where one belongs, exactly one of these sources is named. \
          Trailing newlines are not part of a secret. Secrets are read again on reload, and before a profile that the \
          provider has refused is tried again.",
    keys: &[
        Key {
            name: "credential",
            value: "a name",
            default: Needed,
            example: "\"campus\"",
            doc: "The systemd credential $CREDENTIALS_DIRECTORY/NAME, from `LoadCredential=` or \
                  `LoadCredentialEncrypted=` in the unit. It changes only with a restart.",
            instead_of: None,
        },
        Key {
            name: "file",
            value: "an absolute path",
            default: Needed,
            example: "\"/etc/tokend/msp.secret\"",
            doc: "A file of root's or of the daemon's user's. Nobody else may have access to it; the daemon's primary group \
                  may read it. A file that does not answer within 10 seconds, such as one of a dead mount, costs the \
                  profile that names it and no other.",
            instead_of: Some("credential"),
        },
        Key {
            name: "env",
            value: "a variable's name",
            default: Needed,
            example: "\"LEGACY_SECRET\"",
            doc: "The daemon's environment, as it was at start. `Environment=` in a unit can be read by every user: \
                  `EnvironmentFile=` cannot.",
            instead_of: Some("credential"),
        },
        Key {
            name: "command",
            value: "a list of a program's absolute path and its arguments",
            default: Needed,
            example: "[\"/usr/local/bin/fetch-password\", \"central\"]",
            doc: "What the program prints, at most 64 KiB within 10 seconds. There is no shell, no terminal, and no variable \
                  but PATH, HOME and LANG. Once the program has ended, what it has printed counts, no matter who still holds \
                  its output open; its children are killed but for those in a session of their own. If it fails, the log \
                  has the last line of its standard error. `tokend check` does not run it.",
            instead_of: Some("credential"),
        },
    ],
};

/// `[audit]`.
pub const AUDIT: Table = Table {
    header: "[audit]",
    doc: "What is recorded about processes, in the log under the target `audit`. Refused requests, and each renewal, import \
          and reload that was asked for, are recorded in any case; a token never is, only its fingerprint.",
    keys: &[Key {
        name: "reads",
        value: "true or false",
        default: Example,
        example: "false",
        doc: "Whether each token that is given out is recorded as well.",
        instead_of: None,
    }],
};
