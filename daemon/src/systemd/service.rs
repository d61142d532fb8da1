//! What the service manager hears and keeps of a running daemon: its state, a line about its names, and its short-lived
//! tokens for the next start.
//!
//! Environment: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`, `LISTEN_FDS`, `LISTEN_PID` and `LISTEN_FDNAMES`.
//! In the unit: `Type=notify`, `NotifyAccess=main`, `WatchdogSec=`, and `FileDescriptorStoreMax=` of at least 1,
//! without which tokens do not survive a restart. Without a manager nothing of this happens.

use std::fs::File;
use std::time::Duration;

use tokend_proto::Fingerprint;

use super::debounce::Debounce;
use super::fd_store::TokenKeeper;
use super::notify::{Message, Notifier};
use crate::core::Core;
use crate::core::handoff::Held;
use crate::core::time::BootTime;

/// How long an end may take whose rotation is on the wire: the request's 30 s, what makes it durable, and the 10 s that
/// peers get.
const LONGEST_END: Duration = Duration::from_secs(60);

/// The daemon's side towards the service manager.
#[derive(Debug)]
pub struct Service {
    notifier: Notifier,
    tokens: TokenKeeper,
    debounce: Debounce,
    /// The status that was sent last.
    shown: String,
    /// What came of the last reload.
    reload: Option<String>,
    /// Reloads that have begun and not ended.
    reloading: usize,
    stopping: bool,
}

impl Service {
    /// With the files of tokens that were handed over; what is in them is for the core.
    #[must_use]
    pub fn new(notifier: Notifier, token_files: Vec<File>) -> (Self, Option<Held>) {
        let (tokens, held) = TokenKeeper::new(notifier.clone(), token_files);
        let (debounce, shown, reload) = (Debounce::default(), String::new(), None);
        (Self { notifier, tokens, debounce, shown, reload, reloading: 0, stopping: false }, held)
    }

    /// The socket is served and the configuration is valid.
    pub fn ready(&mut self, core: &Core, now: BootTime) {
        self.shown = self.status(core, now);
        self.notifier.send(Message::Ready(&self.shown));
    }

    /// Something happened that may have changed how names are doing.
    pub(crate) fn changed(&mut self) {
        if self.notifier.is_there() && !self.stopping {
            self.debounce.changed();
        }
    }

    /// Tells and keeps what is due.
    pub(crate) fn work(&mut self, core: &Core, now: BootTime) {
        self.tokens.work(core, now);
        if !self.stopping && self.debounce.take(now) {
            let status = self.status(core, now);
            if status != self.shown && self.notifier.send(Message::Status(&status)) {
                self.shown = status;
            }
        }
    }

    /// When there is something to do next.
    pub(crate) fn due(&self) -> Option<BootTime> {
        self.tokens.due().into_iter().chain(self.debounce.due().filter(|_| !self.stopping)).min()
    }

    pub(crate) fn invalidate(&mut self, token: Fingerprint) {
        self.tokens.invalidate(token);
    }

    pub(crate) fn reload_begins(&mut self) {
        self.reloading += 1;
        self.notifier.send(Message::Reloading);
    }

    /// `refused` says why the configuration before is still in force.
    pub(crate) fn reload_ended(&mut self, core: &Core, now: BootTime, refused: Option<&str>) {
        self.reloading = self.reloading.saturating_sub(1);
        self.reload = Some(match refused {
            None => "the configuration was reloaded".to_owned(),
            Some(why) => {
                let first = why.lines().next().unwrap_or_default();
                format!("the new configuration was refused and the one before is in force: {first}")
            }
        });
        if self.reloading == 0 && !self.stopping {
            self.ready(core, now);
        }
    }

    pub(crate) fn stopping(&mut self, core: &Core) {
        self.stopping = true;
        let (status, time) = match core.is_quiet() {
            true => ("stopping", None),
            false => ("stopping, once the rotation on the wire has ended", Some(LONGEST_END)),
        };
        self.notifier.send(Message::Stopping(status, time));
    }

    /// The last words.
    pub(crate) fn ended(&mut self, core: &Core, now: BootTime) {
        self.tokens.finish(core, now);
        self.notifier.finish();
    }

    fn status(&self, core: &Core, now: BootTime) -> String {
        line(&core.summary(now).to_string(), self.reload.as_deref())
    }
}

fn line(summary: &str, reload: Option<&str>) -> String {
    match reload {
        None => summary.to_owned(),
        Some(reload) => format!("{summary}; {reload}"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;
    use crate::core::input::Input;
    use crate::core::time::{BootId, Now, UnixTime};

    #[test]
    fn a_status_is_sent_when_it_changed_and_once_a_second_at_most() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_nonblocking(true).unwrap();
        let heard = || {
            let mut buffer = [0; 4096];
            let length = manager.recv(&mut buffer).ok()?;
            Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
        };
        let now = Now { boot: BootTime(1_000), wall: UnixTime(0) };
        let mut core = Core::new(now, BootId::default(), 1, Vec::new());
        let (mut service, held) = Service::new(Notifier::to(path.as_os_str()).unwrap(), Vec::new());
        assert_eq!(held, None);
        service.ready(&core, now.boot);
        assert_eq!(heard().as_deref(), Some("READY=1\nSTATUS=no names are configured\n"));
        assert_eq!(service.due(), None, "nobody is woken for nothing");

        core.handle(now, Input::Tick);
        service.changed();
        service.work(&core, BootTime(2_000));
        assert_eq!(heard(), None, "it is as it was");
        service.reload_begins();
        assert!(heard().unwrap().starts_with("RELOADING=1\nMONOTONIC_USEC="));
        service.reload_ended(&core, BootTime(2_100), Some("line 3: no\nline 4: no"));
        let refused = "no names are configured; the new configuration was refused and the one before is in force";
        assert_eq!(heard().unwrap(), format!("READY=1\nSTATUS={refused}: line 3: no\n"));
        service.reload = None;
        service.changed();
        assert_eq!(service.due(), Some(BootTime(3_000)), "a second after the last look");
        service.work(&core, BootTime(2_999));
        assert_eq!(heard(), None);
        service.work(&core, BootTime(3_000));
        assert_eq!(heard().as_deref(), Some("STATUS=no names are configured\n"));

        service.stopping(&core);
        assert_eq!(heard().as_deref(), Some("STOPPING=1\nSTATUS=stopping\n"));
        service.changed();
        service.work(&core, BootTime(9_000));
        assert_eq!(heard(), None, "those were the last words");
    }

    #[test]
    fn two_reloads_at_once_are_ready_when_both_have_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_nonblocking(true).unwrap();
        let core = Core::new(Now::default(), BootId::default(), 1, Vec::new());
        let (mut service, _) = Service::new(Notifier::to(path.as_os_str()).unwrap(), Vec::new());
        service.reload_begins();
        service.reload_begins();
        service.reload_ended(&core, BootTime(1), Some("no"));
        let mut buffer = [0; 4096];
        for _ in 0..2 {
            manager.recv(&mut buffer).unwrap();
        }
        assert!(manager.recv(&mut buffer).is_err(), "one is still under way");
        service.reload_ended(&core, BootTime(2), None);
        let length = manager.recv(&mut buffer).unwrap();
        let heard = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert_eq!(heard, "READY=1\nSTATUS=no names are configured; the configuration was reloaded\n");
    }
}
