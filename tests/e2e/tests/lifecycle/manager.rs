//! A test that plays the service manager: it owns the socket, hears what the daemon says, and keeps what it is given.

use std::cell::RefCell;
use std::fs::File;
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use harness::{Binaries, Ctl, Daemon, World, until};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use nix::unistd::{Whence, lseek64};
use tokend::core::handoff::Held;
use tokend::systemd::fd_store::TokenKeeper;
use tokend::systemd::notify::Notifier;

/// A service manager for one daemon.
pub(crate) struct Manager<'a> {
    world: &'a World,
    listener: UnixListener,
    pub(crate) path: PathBuf,
    notify: UnixDatagram,
    heard: RefCell<Vec<String>>,
    /// Descriptors in the order in which they were stored, with their names.
    pub(crate) store: RefCell<Vec<(String, File)>>,
    /// `WATCHDOG_USEC`, and whether `WATCHDOG_PID` is the daemon's.
    pub(crate) watchdog: Option<(u64, bool)>,
}

impl<'a> Manager<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        let (path, notify) = (world.path("handed-over.sock"), world.path("notify"));
        let listener = UnixListener::bind(&path).unwrap();
        let notify = UnixDatagram::bind(notify).unwrap();
        notify.set_nonblocking(true).unwrap();
        let (heard, store) = (RefCell::default(), RefCell::default());
        Self { world, listener, path, notify, heard, store, watchdog: None }
    }

    pub(crate) fn ctl(&self) -> Ctl {
        Ctl::new(&self.path)
    }

    /// Starts the daemon with the socket and all that is in the store.
    pub(crate) fn start(&self) -> Daemon {
        self.forget();
        let store = self.store.borrow();
        let names: Vec<&str> = store.iter().map(|(name, _)| name.as_str()).collect();
        let descriptors = self.pass(&store.iter().map(|(_, file)| file).collect::<Vec<_>>());
        self.launch(
            &descriptors,
            &format!("tokend.socket{}", names.iter().map(|n| format!(":{n}")).collect::<String>()),
        )
    }

    /// The shell's words that open these files as descriptors 4 and up. The shell's process becomes the daemon's.
    pub(crate) fn pass(&self, files: &[&File]) -> String {
        let us = std::process::id();
        let open = |(index, file): (usize, &&File)| format!(" {}<>/proc/{us}/fd/{}", index + 4, file.as_raw_fd());
        files.iter().enumerate().map(open).collect()
    }

    /// What the daemon before said is not what the next one says.
    pub(crate) fn forget(&self) {
        let _ = self.listen();
        self.heard.borrow_mut().clear();
    }

    pub(crate) fn launch(&self, descriptors: &str, names: &str) -> Daemon {
        let count = names.split(':').count();
        let variables = |(usec, own)| format!("WATCHDOG_PID={} WATCHDOG_USEC={usec}", if own { "$$" } else { "1" });
        let watchdog = self.watchdog.map(variables).unwrap_or_default();
        let script = format!(
            "exec 3<&0 </dev/null{descriptors}; LISTEN_PID=$$ LISTEN_FDS={count} LISTEN_FDNAMES={names} {watchdog} exec \
             \"$0\" --config \"$1\" --log debug"
        );
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script).arg(&Binaries::built().tokend).arg(self.world.config());
        command.env("NOTIFY_SOCKET", self.world.path("notify"));
        command.stdin(Stdio::from(std::os::fd::OwnedFd::from(self.listener.try_clone().unwrap())));
        Daemon::launch(&mut command, &self.world.log())
    }

    /// Everything that the daemon has said since its start.
    pub(crate) fn heard(&self) -> Vec<String> {
        let fresh = self.listen();
        let mut heard = self.heard.borrow_mut();
        heard.extend(fresh);
        heard.clone()
    }

    fn listen(&self) -> Vec<String> {
        let mut heard = Vec::new();
        loop {
            let mut buffer = [0; 4096];
            let mut parts = [IoSliceMut::new(&mut buffer)];
            let mut rights = nix::cmsg_space!([RawFd; 4]);
            let flags = MsgFlags::MSG_CMSG_CLOEXEC;
            let Ok(message) = recvmsg::<()>(self.notify.as_raw_fd(), &mut parts, Some(&mut rights), flags) else {
                return heard;
            };
            let rights = message.cmsgs().unwrap().filter_map(|message| match message {
                ControlMessageOwned::ScmRights(descriptors) => Some(descriptors),
                _ => None,
            });
            let descriptors: Vec<RawFd> = rights.flatten().collect();
            let length = message.bytes;
            let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
            self.keep(&text, &descriptors);
            heard.push(text);
        }
    }

    fn keep(&self, text: &str, descriptors: &[RawFd]) {
        let name = text.lines().find_map(|line| line.strip_prefix("FDNAME="));
        if text.contains("FDSTOREREMOVE=1\n") {
            self.store.borrow_mut().retain(|(kept, _)| Some(kept.as_str()) != name);
        } else if text.contains("FDSTORE=1\n") {
            assert_eq!(descriptors.len(), 1, "{text}");
            for number in descriptors {
                let path = format!("/proc/self/fd/{number}");
                let file = File::options().read(true).write(true).open(path).unwrap();
                nix::unistd::close(*number).unwrap();
                self.store.borrow_mut().push((name.unwrap_or("stored").to_owned(), file));
            }
        } else {
            assert!(descriptors.is_empty(), "{text}");
        }
    }

    pub(crate) fn waits_for(&self, line: &str) {
        until(&format!("the daemon says {line}"), || {
            self.heard().iter().any(|message| message.lines().any(|said| said == line)).then_some(())
        });
    }

    /// The last status that was heard.
    pub(crate) fn status(&self) -> String {
        let heard = self.heard();
        let status = heard.iter().rev().find_map(|text| text.lines().find_map(|line| line.strip_prefix("STATUS=")));
        status.unwrap_or_default().to_owned()
    }

    pub(crate) fn count(&self, line: &str) -> usize {
        self.heard().iter().filter(|message| message.lines().any(|said| said == line)).count()
    }

    /// What the daemon would take over if it were started now.
    pub(crate) fn held(&self) -> Option<Held> {
        let _ = self.heard();
        let store = self.store.borrow();
        let (_, file) = store.first()?;
        TokenKeeper::new(Notifier::default(), vec![copy(file)]).1
    }

    /// Fingerprints of all tokens that the next start would be given.
    pub(crate) fn fingerprints(&self) -> Vec<String> {
        let held = self.held().into_iter().flat_map(|held| held.profiles);
        held.flat_map(|profile| profile.names).map(|name| name.token.fingerprint.to_string()).collect()
    }

    /// Waits until the next start would be given the tokens that peers are given now.
    pub(crate) fn holds(&self, names: &[&str]) {
        let ctl = self.ctl();
        until("the tokens of now are kept", || {
            let kept = self.fingerprints();
            let is_kept = |name: &&str| {
                let status = ctl.status_of(name);
                kept.iter().any(|kept| status["fingerprint"] == kept.as_str())
            };
            names.iter().all(is_kept).then_some(())
        });
    }
}

/// A file in memory with the same content, holes included: what looks at one may mend it.
pub(crate) fn copy(file: &File) -> File {
    let copy: File = memfd_create("copy", MFdFlags::MFD_CLOEXEC).unwrap().into();
    let mut at = 0;
    // ENXIO: nothing but a hole from here on.
    while let Ok(start) = lseek64(file, at, Whence::SeekData) {
        let end = lseek64(file, start, Whence::SeekHole).unwrap();
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        let count = file.read_at(&mut bytes, start.cast_unsigned()).unwrap();
        copy.write_all_at(&bytes[..count], start.cast_unsigned()).unwrap();
        at = end;
    }
    copy
}
