//! Puts the parts together: all of them are looked at, whatever is wrong with the others.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::findings::{ConfigError, Findings, Place};
use super::raw::Section;
use super::{Config, Environment, Report, access, audit, glp, machine, profile, raw, refresh, secret, server};
use crate::core::settings::Settings;
use crate::system::secret::SecretSource;

/// Longest configuration accepted, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// What the file is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To run with it, inside the unit and as its user.
    Start,
    /// To tell what is wrong with it, from anywhere.
    Check,
}

/// What every part of the configuration is validated with.
pub(super) struct Context<'c> {
    pub(super) findings: &'c Findings,
    pub(super) environment: &'c Environment,
    pub(super) purpose: Purpose,
    pub(super) credentials_not_read: Cell<usize>,
}

/// Reads and validates a file.
pub(super) fn file(path: &Path, environment: &Environment, purpose: Purpose) -> Result<Config, Report> {
    // A secret may have been typed into it by mistake.
    let text = read(path).map(Zeroizing::new).map_err(|problem| {
        let error = ConfigError { file: path.to_owned(), line: None, key: None, problem };
        Report { errors: vec![error], warnings: Vec::new() }
    })?;
    validate(&text, path, environment, purpose)
}

fn read(path: &Path) -> Result<String, String> {
    let right = "right is a TOML file that the daemon may read (--config FILE, $TOKEND_CONFIG)";
    let cannot = |error: std::io::Error| format!("cannot be read: {}; {right}", error.kind());
    // Before it is opened: a pipe would be waited for.
    let metadata = std::fs::metadata(path).map_err(cannot)?;
    if !metadata.is_file() {
        return Err(format!("is not a regular file; {right}"));
    }
    if metadata.mode() & 0o002 != 0 {
        // It names commands that the daemon runs.
        return Err(format!(
            "can be changed by everybody (mode {:04o}); chmod o-w {}",
            metadata.mode() & 0o7777,
            path.display()
        ));
    }
    // A byte more than there are: in a buffer that grew, copies of what was typed would be left behind.
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(MAX_FILE)).unwrap_or_default() + 1);
    File::open(path).map_err(cannot)?.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE) {
        return Err(format!("is longer than {} KiB; {right}", MAX_FILE / 1024));
    }
    String::from_utf8(bytes).map_err(|_| format!("is not UTF-8 text; {right}"))
}

/// Validates a file's text.
pub(super) fn validate(text: &str, path: &Path, environment: &Environment, purpose: Purpose) -> Result<Config, Report> {
    let findings = Findings::of(path, text);
    let context = Context { findings: &findings, environment, purpose, credentials_not_read: Cell::new(0) };
    let config = raw::document(text, &findings).and_then(|root| whole(root, &context));
    let not_read = context.credentials_not_read.get();
    if not_read > 0 {
        let problem =
            format!("credentials were not looked at ({not_read}): $CREDENTIALS_DIRECTORY is set only in the unit");
        findings.warn(&Place::default(), problem);
    }
    match (config, findings.into_parts()) {
        (Some(config), (errors, warnings)) if errors.is_empty() => Ok(Config { warnings, ..config }),
        (_, (errors, warnings)) => {
            debug_assert!(!errors.is_empty(), "what is wrong has been said");
            Err(Report { errors, warnings })
        }
    }
}

fn whole(mut root: Section<'_>, context: &Context<'_>) -> Option<Config> {
    let findings = context.findings;
    let section = root.table("server", "a section [server]");
    let state = root.table("state", "a section [state]");
    let places = server::Places::of(section.as_ref(), state.as_ref());
    let server = server::parse(section, context);
    if let Some(server) = server.as_ref().filter(|_| context.purpose == Purpose::Check) {
        machine::look(server, &places, context);
    }
    let (max_requests_per_second, rate_place) =
        refresh::rate(root.table("providers", "a section [providers]"), findings);
    let (refresh_at, jitter) = refresh::times(root.table("refresh", "a section [refresh]"), findings);
    let state_key = state.and_then(|section| state_key(section, context));
    let audit = audit::parse(root.table("audit", "a section [audit]"));
    let had_profiles = root.has("profiles");
    let profiles_place = root.place_of("profiles");
    let section = root.table("profiles", "sections [profiles.NAME]");
    let is_empty = section.as_ref().map_or(!had_profiles, Section::is_empty);
    let profiles = profile::all(section, context);
    let rules = root.list("access", "sections [[access]]");
    root.finish();
    if is_empty {
        let problem = "there are none, so there is nothing to do; right is a section [profiles.NAME] for each set of client \
                       credentials (`tokend init` writes one)";
        findings.warn(&profiles_place, problem);
    }
    glp::check_rate(&profiles, max_requests_per_second, refresh_at, &rate_place, findings);
    let access = access::parse(rules, &profiles, context);

    let (mut of_core, mut extras) = (BTreeMap::new(), BTreeMap::new());
    for (name, parsed) in profiles {
        if let Some((profile, of_shell)) = parsed {
            of_core.insert(name.clone(), profile);
            extras.insert(name, of_shell);
        }
    }
    let settings = Settings { profiles: of_core, refresh_at, jitter, max_requests_per_second };
    Some(Config {
        settings: Arc::new(settings),
        server: server?,
        places,
        profiles: extras,
        access,
        audit,
        state_key,
        warnings: Vec::new(),
    })
}

/// `[state] key`: what seals the records.
fn state_key(mut section: Section<'_>, context: &Context<'_>) -> Option<SecretSource> {
    let key = section.take("key").and_then(|raw| secret::single(raw, context));
    section.finish();
    let (source, text) = key?;
    let is_key = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if text.is_some_and(|text| !is_key(text.expose())) {
        let right = "right are 64 hex digits, such as `openssl rand -hex 32` prints";
        context.findings.error(&source.place, format!("{}: it is no key; {right}", source.value));
        return None;
    }
    Some(source.value)
}
