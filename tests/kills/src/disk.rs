//! The state folder on a disk of its own, whose power can be cut: ext4 in an image file behind a loop device with
//! direct I/O, so that the image holds what the file system has pushed to its disk and nothing else. A copy of it,
//! taken when the daemon is killed and put in its place, is what a power cut at that moment would have left.
//!
//! Only root can have one. Elsewhere the state folder lies where the world does, and no power is cut.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::geteuid;

const SIZE: u64 = 16 * 1024 * 1024;

/// What the file system does of its own accord comes late, and a rename does not write the file before it: that is
/// fsync's work.
const OPTIONS: &str = "noatime,commit=300,noauto_da_alloc";

/// A copy is taken again when the file system wrote meanwhile, so often at most.
const MOST_COPIES: usize = 20;

/// A mounted disk; unmounted when it is dropped.
pub(super) struct Disk {
    image: PathBuf,
    at: PathBuf,
    device: Option<String>,
}

impl Disk {
    /// Mounts a new one here.
    ///
    /// # Errors
    /// Why that is not possible.
    pub(super) fn mount(image: PathBuf, at: PathBuf) -> Result<Self, String> {
        if !geteuid().is_root() {
            return Err("only root can mount a file system".to_owned());
        }
        let mut disk = Self { image, at, device: None };
        disk.make().and_then(|()| disk.attach()).map_err(|error| error.to_string())?;
        Ok(disk)
    }

    fn make(&self) -> io::Result<()> {
        File::create(&self.image)?.set_len(SIZE)?;
        let image = self.image.to_str().unwrap_or_default();
        run("mkfs.ext4", &["-q", image])?;
        fs::create_dir_all(&self.at)
    }

    fn attach(&mut self) -> io::Result<()> {
        let (image, at) = (path(&self.image), path(&self.at));
        let device = run("losetup", &["--direct-io=on", "--find", "--show", &image])?;
        self.device = Some(device.clone());
        run("mount", &["-o", OPTIONS, &device, &at])?;
        fs::set_permissions(&self.at, Permissions::from_mode(0o700))
    }

    fn detach(&mut self) -> io::Result<()> {
        let Some(device) = self.device.take() else { return Ok(()) };
        let unmounted = run("umount", &[&path(&self.at)]);
        run("losetup", &["--detach", &device])?;
        unmounted.map(drop)
    }

    /// What is on the disk at this moment.
    ///
    /// # Panics
    /// When the image cannot be read, or never stands still.
    pub(super) fn moment(&self) -> Vec<u8> {
        let read = || fs::read(&self.image).expect("the image is ours");
        let mut copy = read();
        for _ in 0..MOST_COPIES {
            let again = read();
            if again == copy {
                return copy;
            }
            copy = again;
        }
        panic!("the disk is written to without an end though its daemon is gone")
    }

    /// Goes on from that moment, as if the power had failed then.
    ///
    /// # Panics
    /// When the disk cannot be mounted again.
    pub(super) fn power_cut(&mut self, moment: &[u8]) {
        self.detach().expect("nobody uses the disk");
        // A new file: a process that has copied the mount namespace meanwhile still has the old file system mounted,
        // and that goes on writing to the file that it knows.
        fs::remove_file(&self.image).expect("the image is ours");
        fs::write(&self.image, moment).expect("the image is ours");
        self.attach().expect("the journal of ext4 mends what a power cut leaves");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = self.detach() {
            eprintln!("{} was left behind: {error}", self.at.display());
        }
    }
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn run(program: &str, arguments: &[&str]) -> io::Result<String> {
    let ran = Command::new(program).args(arguments).stdin(Stdio::null()).output()?;
    if ran.status.success() {
        return Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&ran.stderr).trim().to_owned();
    Err(io::Error::other(format!("{program} {arguments:?}: {said}")))
}
