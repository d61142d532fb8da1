//! A power cut, played: what is left of a folder when nothing survives that was not fsynced.
//!
//! Real files are looked at before each step. What was fsynced is known from the calls themselves
//! ([`crate::store::file::calls`]), not from what the steps say. Then every folder is made that the disk may hold: a
//! name may lead to what it led to at the folder's last fsync or at any time since, a content that was changed since
//! its own fsync may be the old one, gone, zeros or the new one. One thing a file system keeps: a file that had a name
//! all the time has one afterwards (rename(2) is atomic).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

thread_local! {
    static WATCHED: RefCell<Vec<Weak<Mutex<Disk>>>> = const { RefCell::new(Vec::new()) };
}

/// Called after each real fsync.
pub(in crate::store) fn synced(descriptor: BorrowedFd<'_>) {
    let path = PathBuf::from(format!("/proc/self/fd/{}", descriptor.as_raw_fd()));
    WATCHED.with_borrow_mut(|watched| {
        watched.retain(|disk| disk.upgrade().is_some_and(|disk| disk.lock().is_ok_and(|mut disk| disk.synced(&path))));
    });
}

type Names = BTreeMap<String, u64>;

struct Disk {
    folder: PathBuf,
    /// Each file ever seen, held open: its number is not given to another one, and it can be read when it has no name.
    files: BTreeMap<u64, File>,
    contents: BTreeMap<u64, Vec<u8>>,
    /// What the folder looked like at its last fsync and at each look since.
    looks: Vec<Names>,
    folder_syncs: usize,
}

/// A folder whose power can be cut.
#[derive(Clone)]
pub(super) struct Power(Arc<Mutex<Disk>>);

impl Power {
    /// What is there counts as durable.
    pub(super) fn on(folder: &Path) -> Self {
        let mut disk = Disk {
            folder: folder.to_owned(),
            files: BTreeMap::new(),
            contents: BTreeMap::new(),
            looks: Vec::new(),
            folder_syncs: 0,
        };
        let names = disk.list();
        for (name, number) in &names {
            disk.contents.insert(*number, fs::read(folder.join(name)).unwrap());
        }
        disk.looks.push(names);
        let disk = Arc::new(Mutex::new(disk));
        WATCHED.with_borrow_mut(|watched| watched.push(Arc::downgrade(&disk)));
        Self(disk)
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }

    /// Before each step.
    pub(super) fn look(&self) {
        let mut disk = self.disk();
        let names = disk.list();
        if disk.looks.last() != Some(&names) {
            disk.looks.push(names);
        }
    }

    /// How often the folder was fsynced.
    pub(super) fn folder_syncs(&self) -> usize {
        self.disk().folder_syncs
    }

    /// Whether this content was fsynced, under whatever name.
    pub(super) fn is_synced(&self, content: &[u8]) -> bool {
        self.disk().contents.values().any(|synced| synced.starts_with(content))
    }

    /// Each folder that may be left, in turn; how many there were.
    pub(super) fn cut(&self, mut check: impl FnMut(&Path)) -> usize {
        self.look();
        // Not while it is locked: who checks may fsync.
        let (folders, outcomes, links) = {
            let disk = self.disk();
            let folders = disk.folders();
            let outcomes: Vec<_> = folders.iter().map(|names| (names.clone(), disk.contents_of(names))).collect();
            (folders.len(), outcomes, disk.links())
        };
        for (names, choices) in &outcomes {
            for contents in choices {
                let left = tempfile::tempdir().unwrap();
                let mut made: BTreeMap<u64, PathBuf> = BTreeMap::new();
                for (name, number) in names {
                    let path = left.path().join(name);
                    let all = names.values().filter(|other| *other == number).count();
                    match made.get(number) {
                        // More names than it ever had at once: the disk has it twice.
                        Some(first) if all <= links[number] => fs::hard_link(first, &path).unwrap(),
                        _ => {
                            fs::write(&path, &contents[number]).unwrap();
                            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
                            made.insert(*number, path);
                        }
                    }
                }
                check(left.path());
            }
        }
        folders
    }
}

impl Disk {
    fn list(&mut self) -> Names {
        let mut names = Names::new();
        for entry in fs::read_dir(&self.folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if name == "lock" {
                continue;
            }
            let file = File::open(entry.path()).unwrap();
            let number = file.metadata().unwrap().ino();
            self.files.entry(number).or_insert(file);
            names.insert(name, number);
        }
        names
    }

    /// Whether it is still of interest.
    fn synced(&mut self, path: &Path) -> bool {
        let number = fs::metadata(path).unwrap().ino();
        let Ok(folder) = fs::metadata(&self.folder) else { return false };
        if number == folder.ino() {
            let names = self.list();
            self.looks = vec![names];
            self.folder_syncs += 1;
        } else if let Ok(content) = fs::read(path) {
            self.files.entry(number).or_insert_with(|| File::open(path).unwrap());
            self.contents.insert(number, content);
        }
        true
    }

    /// How many names each file had at once.
    fn links(&self) -> BTreeMap<u64, usize> {
        let most = |number| self.looks.iter().map(|look| look.values().filter(|other| *other == number).count()).max();
        self.files.keys().map(|number| (*number, most(number).unwrap_or_default())).collect()
    }

    /// Every choice of names.
    fn folders(&self) -> Vec<Names> {
        let all: BTreeSet<&String> = self.looks.iter().flat_map(BTreeMap::keys).collect();
        let mut folders = vec![Names::new()];
        for name in all {
            let choices: BTreeSet<Option<u64>> = self.looks.iter().map(|look| look.get(name).copied()).collect();
            folders = folders
                .iter()
                .flat_map(|folder| {
                    choices.iter().map(|choice| {
                        let mut folder = folder.clone();
                        folder.extend(choice.map(|number| (name.clone(), number)));
                        folder
                    })
                })
                .collect();
        }
        let always = |number: &u64| self.looks.iter().all(|look| look.values().any(|other| other == number));
        let lasting: Vec<u64> = self.files.keys().copied().filter(always).collect();
        folders.retain(|folder| lasting.iter().all(|number| folder.values().any(|other| other == number)));
        folders
    }

    /// Every choice of contents.
    fn contents_of(&self, names: &Names) -> Vec<BTreeMap<u64, Vec<u8>>> {
        let mut choices = vec![BTreeMap::new()];
        for number in names.values().collect::<BTreeSet<_>>() {
            let mut now = Vec::new();
            let mut file = File::open(format!("/proc/self/fd/{}", self.files[number].as_fd().as_raw_fd())).unwrap();
            file.read_to_end(&mut now).unwrap();
            let synced = self.contents.get(number);
            let possible: BTreeSet<Vec<u8>> = if synced == Some(&now) {
                [now].into()
            } else {
                [synced.cloned().unwrap_or_default(), Vec::new(), vec![0; now.len()], now].into()
            };
            choices = choices
                .iter()
                .flat_map(|choice: &BTreeMap<u64, Vec<u8>>| {
                    possible.iter().map(|content| {
                        let mut choice = choice.clone();
                        choice.insert(*number, content.clone());
                        choice
                    })
                })
                .collect();
        }
        choices
    }
}
