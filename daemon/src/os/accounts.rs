//! The users and groups of the machine. Looking one up may hang: a directory service may have to be asked.

use std::io;

/// The users and groups of the machine.
pub trait Accounts: Send + Sync {
    /// A user's number; `None` if there is no such user.
    ///
    /// # Errors
    ///
    /// The look-up failed: whether there is such a user is not known.
    fn user(&self, name: &str) -> io::Result<Option<u32>>;

    /// A group's number; `None` if there is no such group.
    ///
    /// # Errors
    ///
    /// As for [`Accounts::user`].
    fn group(&self, name: &str) -> io::Result<Option<u32>>;
}

/// What getpwnam_r(3) and getgrnam_r(3) know.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemAccounts;

impl Accounts for SystemAccounts {
    fn user(&self, name: &str) -> io::Result<Option<u32>> {
        Ok(nix::unistd::User::from_name(name)?.map(|user| user.uid.as_raw()))
    }

    fn group(&self, name: &str) -> io::Result<Option<u32>> {
        Ok(nix::unistd::Group::from_name(name)?.map(|group| group.gid.as_raw()))
    }
}
