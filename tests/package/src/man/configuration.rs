//! tokend.toml(5).

use tokend::config::keys::{self, Key, ProfileKind, SECRET, TABLES, Table, Unsaid};
use tokend::config::template::{Secrets, starter};

use super::page::{Page, term};

pub(super) fn text(epoch: i64) -> String {
    let mut page = Page::new("tokend.toml", "5", "configuration of tokend", epoch);
    page.heading("SYNOPSIS");
    page.paragraph("/etc/tokend/tokend.toml");
    page.heading("DESCRIPTION");
    page.paragraph(
        "What `tokend`(8) keeps tokens for, and who may read them. The file is TOML (https://toml.io). An unknown key is an \
         error. Everything but the profiles has a default that is good enough. A span of time is a number and one of ms, s, \
         m, h, d, such as \"90s\" or \"20m\". Nobody but its owner and its group may be able to change the file.",
    );
    page.paragraph(
        "`tokend check` says of everything that is wrong in which line it stands and what is expected. `systemctl reload \
         tokend` puts a changed file into force as a whole or, if anything is wrong in it, not at all; tokens survive \
         unless their kind, client_id, workspace or address has changed. Without a profile tokend runs, and has nothing to do.",
    );
    page.paragraph(
        "What the file names and cannot be had costs whom it is for, and nobody else: a secret or a ca_file is read again \
         until it can be, a user or group is looked up again each minute. `tokenctl status` says what is missing.",
    );
    page.heading("KEYS");
    for table in TABLES {
        section(&mut page, table);
    }
    page.heading("SECRETS");
    page.paragraph(SECRET.doc);
    for key in SECRET.keys {
        page.tagged(term(&format!("{{ {} = {} }}", key.name, key.example), None), key.doc);
    }
    page.heading("EXAMPLE");
    page.paragraph("A profile of each kind, as `tokend init` writes them:");
    page.example(&switched_on());
    page.paragraph("Netops may read everything, the exporter's unit one token, and nobody else any:");
    page.example(
        "[[access]]\nprofiles = [\"*\", \"msp/*\"]\nusers = [\"netops\"]\nadmin = true\n\n[[access]]\nprofiles = \
         [\"campus\"]\nunits = [\"aruba-exporter.service\"]",
    );
    page.paragraph("An encrypted credential, for `client_secret = { credential = \"campus\" }`:");
    page.example(
        "systemd-ask-password 'Secret of campus:' |\n  systemd-creds encrypt --name=campus - \
         /etc/credstore.encrypted/campus\nsystemctl edit tokend.service\n  [Service]\n  \
         LoadCredentialEncrypted=campus:/etc/credstore.encrypted/campus\nsystemctl restart tokend.service",
    );
    page.see_also(&[("tokend", "8"), ("tokenctl", "1"), ("systemd-creds", "1"), ("systemd.exec", "5")]);
    page.text()
}

fn section(page: &mut Page, table: &Table) {
    page.subheading(table.header);
    page.paragraph(table.doc);
    for key in table.keys {
        page.tagged(term(&format!("{} =", key.name), Some(key.value)), key.doc);
        page.and(&unsaid(key));
    }
}

fn unsaid(key: &Key) -> String {
    match key.default {
        Unsaid::Needed => format!("It has to be there. For example `{}`.", key.example),
        Unsaid::Words(words) if key.value.starts_with("a section") => format!("The default: {words}."),
        Unsaid::Words(words) => format!("The default: {words}. For example `{}`.", key.example),
        Unsaid::Example => format!("The default is `{}`.", key.example),
    }
}

/// The starter's settings, without its comments.
fn switched_on() -> String {
    let text = starter(&ProfileKind::ALL, Secrets::Credentials);
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        if line.starts_with('[') && !lines.is_empty() {
            lines.push("");
        }
        lines.push(line);
    }
    debug_assert!(text.contains(keys::PLACEHOLDER_CLIENT_ID), "the starter has a client's id");
    lines.join("\n")
}
