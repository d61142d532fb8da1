//! A configuration in which every key is explained in comments.
//!
//! Prose begins with `# `, a setting that is switched off with `#` alone: to switch it on, take the `#` away.

use std::path::PathBuf;

use super::keys;
use super::keys::{Key, Kind, ProfileKind, Table, Unsaid};

/// Widest line of prose, in characters.
const WIDTH: usize = 100;

/// Where the secrets of the profiles are to come from.
#[derive(Debug, Clone)]
pub enum Secrets {
    /// Credentials of the systemd unit, each called as its profile.
    Credentials,
    /// `PROFILE.secret` in this folder.
    Files(PathBuf),
}

/// What the package installs: every key, and all of them switched off. It is valid as it stands.
#[must_use]
pub fn installed() -> String {
    let mut page = Page { text: String::new(), live: false, secrets: Secrets::Credentials };
    page.prose(
        "The configuration of tokend; tokend.toml(5) has all of it too. Every key stands here, switched off: take the `#` \
         before it away, and the one before its [section]. After a change: `tokend check`, then `systemctl reload tokend`. \
         `tokend init KIND…` writes a shorter one, as long as nothing was changed in this.",
    );
    page.general();
    page.profiles(&ProfileKind::ALL);
    page.text
}

/// What `tokend init` writes: profiles for these kinds, with what has to be there switched on.
#[must_use]
pub fn starter(kinds: &[ProfileKind], secrets: Secrets) -> String {
    let mut page = Page { text: String::new(), live: true, secrets };
    page.prose(
        "The configuration of tokend, written by `tokend init`; see tokend.toml(5). To switch a key on that stands behind \
         a `#`, take that away. After a change: `tokend check`, then `systemctl reload tokend`.",
    );
    page.profiles(kinds);
    page.general();
    page.text
}

struct Page {
    text: String,
    /// Whether what a profile needs is switched on.
    live: bool,
    secrets: Secrets,
}

impl Page {
    fn general(&mut self) {
        for table in [&keys::SERVER, &keys::PROVIDERS, &keys::REFRESH, &keys::STATE, &keys::AUDIT] {
            self.section(table, table.header);
        }
    }

    fn profiles(&mut self, kinds: &[ProfileKind]) {
        for (index, kind) in kinds.iter().enumerate() {
            self.profile(*kind, index == 0);
        }
        self.section(&keys::ACCESS, keys::ACCESS.header);
    }

    fn profile(&mut self, kind: ProfileKind, explained: bool) {
        let Kind { example: name, keys: own, below, .. } = kind.about();
        self.rule();
        self.prose(own.doc);
        if explained {
            self.prose(keys::PROFILE.doc);
        }
        self.line(&format!("[profiles.{name}]"), self.live);
        if explained {
            self.keys(&keys::PROFILE, Some(kind));
            self.sources();
        } else {
            let needed = keys::PROFILE.keys.iter().filter(|key| key.default == Unsaid::Needed);
            for key in needed {
                self.setting(key, Some(kind), self.live);
            }
            self.prose("`ca_file` and `allow_plain_http` as above.");
        }
        self.keys(own, Some(kind));
        if let Some((table, key)) = below {
            self.section(table, &format!("[profiles.{name}.{key}]"));
        }
    }

    /// One that is switched off with all that is in it.
    fn section(&mut self, table: &Table, header: &str) {
        self.rule();
        self.prose(table.doc);
        self.line(header, false);
        let live = std::mem::replace(&mut self.live, false);
        self.keys(table, Some(ProfileKind::Classic).filter(|_| table.header.contains(".login")));
        self.live = live;
    }

    fn keys(&mut self, table: &Table, profile: Option<ProfileKind>) {
        for key in table.keys.iter().filter(|key| !key.value.starts_with("a section")) {
            self.text.push('\n');
            self.prose(key.doc);
            let default = match key.default {
                Unsaid::Needed => "has to be there".to_owned(),
                Unsaid::Words(words) => format!("default: {words}"),
                Unsaid::Example => "default: as here".to_owned(),
            };
            self.prose(&format!("Takes {}; {default}.", key.value));
            match key.instead_of {
                // Beside the other one it would be wrong.
                Some(other) => self.prose(&format!("In place of {other}: {} = {}", key.name, key.example)),
                None => {
                    let of_profile = profile.is_some() && is_chosen(key);
                    self.setting(key, profile, self.live && of_profile);
                }
            }
        }
    }

    fn sources(&mut self) {
        self.text.push('\n');
        self.prose(keys::SECRET.doc);
        for key in keys::SECRET.keys {
            self.prose(&format!("  {{ {} = {} }}", key.name, key.example));
            self.prose(key.doc);
        }
    }

    fn setting(&mut self, key: &Key, profile: Option<ProfileKind>, live: bool) {
        let value = match (key.name, profile) {
            ("kind", Some(kind)) => format!("{:?}", kind.about().word),
            ("client_secret", Some(kind)) => self.secret(kind.about().example),
            ("password", Some(kind)) => self.secret(&format!("{}-password", kind.about().example)),
            _ => key.example.to_owned(),
        };
        self.line(&format!("{} = {value}", key.name), live);
    }

    fn secret(&self, name: &str) -> String {
        match &self.secrets {
            Secrets::Credentials => format!("{{ credential = {name:?} }}"),
            Secrets::Files(folder) => format!("{{ file = {:?} }}", folder.join(format!("{name}.secret"))),
        }
    }

    fn rule(&mut self) {
        self.text.push_str("\n\n");
    }

    fn line(&mut self, line: &str, live: bool) {
        if !live {
            self.text.push('#');
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Wrapped, with a `# ` before each line.
    fn prose(&mut self, doc: &str) {
        let indent = &doc[..doc.len() - doc.trim_start().len()];
        let mut line = format!("#{indent}");
        for word in doc.split_whitespace() {
            if line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.text.push_str(&line);
                self.text.push('\n');
                line = format!("#{indent}");
            }
            line.push(' ');
            line.push_str(word);
        }
        self.text.push_str(&line);
        self.text.push('\n');
    }
}

/// What has to be there, or one of several of which one has to be there.
fn is_chosen(key: &Key) -> bool {
    key.default == Unsaid::Needed || key.name == "cluster"
}
