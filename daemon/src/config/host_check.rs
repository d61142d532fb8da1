//! Whether this machine has what the configuration asks for, as far as that can be told without starting.
//!
//! For `tokend check`, which may be run by somebody else and outside of the unit: what the unit would make different is
//! a warning. The daemon itself finds all of it at start.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use nix::unistd::{AccessFlags, access};

use super::Config;
use super::context::Context;
use super::diagnostics::Place;
use super::server::{Places, Server};
use crate::os::{detached, process};

/// For all of it together.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks at everything that `[server]` names.
pub(super) fn check(config: &Config, context: &Context<'_>) {
    let Config { server, places, .. } = config;
    let diagnostics = context.diagnostics;
    if let Err(problem) = process::descriptor_limit(config.needs()) {
        diagnostics.warn(&places.max_connections, format!("{problem}; the unit's limit may differ"));
    }
    let uid = context.environment.process_env.uid();
    let (looked_at, at) = (server.clone(), places.clone());
    let seen = detached::wait_within("looking at this machine", PATIENCE, move || {
        let mut seen = Seen::default();
        seen.all(&looked_at, &at, uid);
        seen
    });
    match seen {
        Ok(Seen { errors, warnings }) => {
            errors.into_iter().for_each(|(place, problem)| diagnostics.error(&place, problem));
            warnings.into_iter().for_each(|(place, problem)| diagnostics.warn(&place, problem));
        }
        Err(undone) => {
            let folder = server.state_dir.display();
            let advice = "see whether its file system, and that of the socket, answers";
            diagnostics.error(&places.state_dir, format!("{folder} cannot be looked at: {undone}; {advice}"));
        }
    }
}

#[derive(Default)]
struct Seen {
    errors: Vec<(Place, String)>,
    warnings: Vec<(Place, String)>,
}

impl Seen {
    fn error(&mut self, place: &Place, problem: impl Into<String>) {
        self.errors.push((place.clone(), problem.into()));
    }

    fn warn(&mut self, place: &Place, problem: impl Into<String>) {
        self.warnings.push((place.clone(), problem.into()));
    }

    fn all(&mut self, server: &Server, places: &Places, uid: u32) {
        // What is not said is made by the unit.
        if places.state_dir.line.is_some() || server.state_dir.exists() {
            state_dir(&server.state_dir, &places.state_dir, uid, self);
        }
        if places.socket.line.is_some() {
            socket(&server.socket, &places.socket, self);
        }
    }
}

fn state_dir(path: &Path, place: &Place, uid: u32, diagnostics: &mut Seen) {
    let shown = path.display();
    let Ok(metadata) = fs::metadata(path) else {
        let parent = path.parent().unwrap_or(path);
        if !parent.is_dir() {
            let expected = "expected a folder that can be made or is there";
            diagnostics.error(place, format!("{shown} is not there, nor is the folder it would be in; {expected}"));
        } else if let Err(errno) = access(parent, AccessFlags::W_OK | AccessFlags::X_OK) {
            let expected = "expected a folder of the daemon's user, with mode 0700";
            diagnostics.error(place, format!("{shown} is not there and cannot be made: {}; {expected}", errno.desc()));
        }
        return;
    };
    if !metadata.is_dir() {
        diagnostics.error(place, format!("{shown} is not a folder; expected the path of one"));
    } else if metadata.mode() & 0o022 != 0 {
        let mode = metadata.mode() & 0o7777;
        diagnostics.error(place, format!("{shown} can be written by others (mode {mode:04o}); `chmod 0700` it"));
    } else if uid == 0 {
        // The daemon's user is somebody else, who has to own it.
    } else if metadata.uid() != uid && metadata.uid() != 0 {
        let owner = metadata.uid();
        diagnostics.warn(place, format!("{shown} belongs to uid {owner}; right only if tokend runs as that user"));
    } else if let Err(errno) = access(path, AccessFlags::R_OK | AccessFlags::W_OK | AccessFlags::X_OK) {
        let expected = "expected a folder of the daemon's user, with mode 0700";
        diagnostics.error(place, format!("{shown} cannot be used: {}; {expected}", errno.desc()));
    }
}

fn socket(path: &Path, place: &Place, diagnostics: &mut Seen) {
    let folder = path.parent().unwrap_or(path);
    if !folder.is_dir() {
        let advice = "right only if systemd hands over the socket, or makes the folder";
        diagnostics.warn(place, format!("the folder {} is not there; {advice}", folder.display()));
    } else if fs::symlink_metadata(path).is_ok_and(|metadata| !is_socket(&metadata)) {
        let expected = "expected a path at which nothing is, or a socket";
        diagnostics.error(place, format!("{} is there and is no socket; {expected}", path.display()));
    }
}

fn is_socket(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_socket(&metadata.file_type())
}
