//! Puts the parts together: all of them are looked at, whatever is wrong with the others.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::accounts::Numbers;
use super::context::Context;
use super::diagnostics::{ConfigError, Diagnostics, Place};
use super::profile::{glp, refresh, secret};
use super::purpose::Purpose;
use super::value::Section;
use super::{Config, Environment, Report, access, audit, host_check, keys, profile, server, value};
use crate::core::settings::Settings;
use crate::os::{clock, detached};
use crate::secret::SecretSource;

/// Longest configuration accepted, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// For the file itself. Where it stands may not answer.
const READ_PATIENCE: Duration = Duration::from_secs(10);

/// Reads and validates a file. `before` is what is in force for users and groups.
pub(super) fn file(
    path: &Path,
    environment: &Environment,
    purpose: Purpose,
    before: &Numbers,
) -> Result<Config, Report> {
    let owned = path.to_owned();
    let key = format!("configuration {}", path.display());
    let read = detached::wait_within(&key, READ_PATIENCE, move || read(&owned));
    let text = read.unwrap_or_else(|undone| {
        Err(format!("cannot be read: {undone}; see whether the file system on which it is answers"))
    });
    let text = text.map_err(|problem| {
        let error = ConfigError { file: path.to_owned(), line: None, key: None, problem };
        Report { errors: vec![error], warnings: Vec::new() }
    })?;
    validate(&text, path, environment, purpose, before)
}

/// A secret may have been typed into it by mistake.
fn read(path: &Path) -> Result<Zeroizing<String>, String> {
    let expected = "expected a TOML file that the daemon may read (--config FILE, $TOKEND_CONFIG)";
    let cannot = |error: std::io::Error| format!("cannot be read: {}; {expected}", error.kind());
    // Before it is opened: a pipe would be waited for.
    let metadata = std::fs::metadata(path).map_err(cannot)?;
    if !metadata.is_file() {
        return Err(format!("is not a regular file; {expected}"));
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
        return Err(format!("is longer than {} KiB; {expected}", MAX_FILE / 1024));
    }
    String::from_utf8(bytes).map(Zeroizing::new).map_err(|_| format!("is not UTF-8 text; {expected}"))
}

/// Validates a file's text.
pub(super) fn validate(
    text: &str,
    path: &Path,
    environment: &Environment,
    purpose: Purpose,
    before: &Numbers,
) -> Result<Config, Report> {
    let diagnostics = Diagnostics::of(path, text);
    let context = Context { diagnostics: &diagnostics, environment, purpose, named: RefCell::default() };
    let mut config = value::document(text, &diagnostics).and_then(|root| whole(root.with(&keys::ROOT), &context));
    let is_refused = config.is_none() || diagnostics.has_errors();
    if purpose.is_check() || !is_refused {
        look_outside(&context, config.as_mut(), before);
    }
    match (config, diagnostics.into_parts()) {
        (Some(config), (errors, warnings, lasting)) if errors.is_empty() => {
            Ok(Config { warnings, notes: lasting, ..config })
        }
        (_, (errors, warnings, _)) => {
            debug_assert!(!errors.is_empty(), "what is wrong has been said");
            Err(Report { errors, warnings })
        }
    }
}

/// Everything that may hang, or be otherwise a moment later.
fn look_outside(context: &Context<'_>, config: Option<&mut Config>, before: &Numbers) {
    let diagnostics = context.diagnostics;
    if context.purpose != Purpose::Start {
        let not_read = context.named.take().look(diagnostics, context.environment, context.purpose);
        if not_read > 0 {
            let problem =
                format!("credentials were not looked at ({not_read}): $CREDENTIALS_DIRECTORY is set only in the unit");
            diagnostics.warn(&Place::default(), problem);
        }
    }
    let Some(config) = config else { return };
    if context.purpose.is_check() {
        host_check::check(config, context);
    }
    let patience = context.purpose.patience();
    let wanted = config.rules.names().into_iter().chain(config.server.named_group()).collect();
    config.numbers = Numbers::find(wanted, before, &context.environment.accounts, patience, clock::boot());
    for (place, problem) in config.problems_of_accounts() {
        diagnostics.warn_of_the_moment(&place, problem);
    }
}

fn whole(mut root: Section<'_>, context: &Context<'_>) -> Option<Config> {
    let diagnostics = context.diagnostics;
    let server = root.section("server", &keys::SERVER);
    let state = root.section("state", &keys::STATE);
    let places = server::Places::of(&server, &state);
    let server = server::parse(server, context);
    let (max_requests_per_second, rate_place) = refresh::rate(root.section("providers", &keys::PROVIDERS), diagnostics);
    let (refresh_at, jitter) = refresh::times(root.section("refresh", &keys::REFRESH), diagnostics);
    let state_key = state_key(state, context);
    let audit = audit::parse(root.section("audit", &keys::AUDIT));
    let had_profiles = root.has("profiles");
    let profiles_place = root.place_of("profiles");
    let section = root.named("profiles");
    let is_empty = section.as_ref().map_or(!had_profiles, Section::is_empty);
    let profiles = profile::all(section, context);
    let rules = root.list("access");
    root.finish();
    if is_empty {
        let problem = "there are none, so there is nothing to do; expected a section [profiles.NAME] for each set of client \
                       credentials (`tokend init` writes one)";
        diagnostics.warn(&profiles_place, problem);
    }
    glp::check_rate(&profiles, max_requests_per_second, refresh_at, &rate_place, diagnostics);
    let rules = access::parse(rules, &profiles, context);

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
        rules,
        numbers: Numbers::default(),
        audit,
        state_key,
        warnings: Vec::new(),
        notes: Vec::new(),
        file: diagnostics.file().to_owned(),
    })
}

/// `[state] key`: what seals the records.
fn state_key(mut section: Section<'_>, context: &Context<'_>) -> Option<SecretSource> {
    let key = section.take("key").and_then(|raw| secret::single(raw, context));
    section.finish();
    let key = key?;
    context.named.borrow_mut().state_key(key.clone());
    Some(key.value)
}
