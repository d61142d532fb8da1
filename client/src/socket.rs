//! Where the daemon's socket is.

use std::env;
use std::path::PathBuf;

/// Names the socket. It wins over all other places.
const VARIABLE: &str = "TOKEND_SOCKET";

/// Where the packaged daemon listens.
const SYSTEM: &str = "/run/tokend/tokend.sock";

/// The daemon's socket: `$TOKEND_SOCKET`, an existing `$XDG_RUNTIME_DIR/tokend.sock`, or
/// `/run/tokend/tokend.sock`. Empty variables count as not set.
#[must_use]
pub fn socket_path() -> PathBuf {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    choose(set(VARIABLE), set("XDG_RUNTIME_DIR"))
}

fn choose(named: Option<PathBuf>, runtime_dir: Option<PathBuf>) -> PathBuf {
    named
        .or_else(|| runtime_dir.map(|dir| dir.join("tokend.sock")).filter(|path| path.exists()))
        .unwrap_or_else(|| PathBuf::from(SYSTEM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_wins_then_an_existing_socket_of_the_session_then_the_systems() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = || Some(dir.path().to_owned());
        assert_eq!(choose(None, runtime()), PathBuf::from(SYSTEM));
        std::fs::write(dir.path().join("tokend.sock"), "").unwrap();
        assert_eq!(choose(None, runtime()), dir.path().join("tokend.sock"));
        assert_eq!(choose(Some("/a.sock".into()), runtime()), PathBuf::from("/a.sock"));
        assert_eq!(choose(None, None), PathBuf::from(SYSTEM));
    }
}
