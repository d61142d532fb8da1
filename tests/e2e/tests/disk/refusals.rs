//! State that the daemon does not touch: it refuses to start, and says which file and what to do.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use nix::unistd::geteuid;

use super::scene::Scene;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The daemon is started and refuses, naming the file; and the provider hears nothing of it.
fn assert_refused(scene: &Scene, path: &Path, fault: &str, remedy: &str) {
    let seen = scene.world.provider().provider().log().seen();
    let said = scene.refusal();
    let named = said.contains(&format!("{} ", path.display()));
    assert!(named && said.contains(fault) && said.contains(remedy), "{fault:?}, {remedy:?}: {said}");
    assert_eq!(scene.world.provider().provider().log().seen(), seen, "{said}");
}

/// And with that put right it goes on as if nothing had been.
fn assert_recovers(scene: &Scene) {
    let daemon = scene.world.start();
    scene.assert_alive();
    assert!(daemon.terminate().success());
}

fn stopped(seed: u64) -> Scene {
    let (scene, daemon) = Scene::with_chain(seed);
    assert!(daemon.terminate().success());
    scene
}

#[test]
fn a_record_of_a_newer_version_stops_the_start_and_stays_as_it_is() {
    let scene = stopped(21);
    let record = scene.record(".rec");
    let ours = fs::read(&record).unwrap();
    // The preamble is frozen: magic (8), version (u16), their CRC-32.
    let mut newer = ours.clone();
    newer[9] += 1;
    let check = crc32(&newer[..10]).to_be_bytes();
    newer[10..14].copy_from_slice(&check);
    fs::write(&record, &newer).unwrap();
    assert_refused(&scene, &record, "has format 2", "install the version that wrote it");
    assert_eq!(fs::read(&record).unwrap(), newer, "the file was touched");
    fs::write(&record, &ours).unwrap();
    assert_recovers(&scene);
}

#[test]
fn a_record_that_others_may_reach_stops_the_start() {
    let scene = stopped(22);
    let record = scene.record(".rec");
    for mode in [0o640, 0o604, 0o666] {
        set_mode(&record, mode);
        assert_refused(&scene, &record, &format!("can be reached by others (mode {mode:04o})"), "`chmod 0600` it");
    }
    set_mode(&record, 0o600);
    assert_recovers(&scene);
}

#[test]
fn a_folder_that_others_may_write_to_stops_the_start() {
    let scene = stopped(23);
    let folder = scene.state_dir();
    set_mode(&folder, 0o770);
    assert_refused(&scene, &folder, "can be written by others (mode 0770)", "`chmod 0700` it");
    set_mode(&folder, 0o700);
    assert_recovers(&scene);
}

#[test]
fn links_in_place_of_a_record_stop_the_start() {
    let scene = stopped(24);
    let (record, elsewhere) = (scene.record(".rec"), scene.world.path("elsewhere"));
    fs::rename(&record, &elsewhere).unwrap();
    symlink(&elsewhere, &record).unwrap();
    assert_refused(&scene, &record, "is a symbolic link", "remove the link");
    fs::remove_file(&record).unwrap();
    fs::hard_link(&elsewhere, &record).unwrap();
    assert_refused(&scene, &record, "has 2 names (hard links)", "replace it by a copy of its own");
    fs::remove_file(&elsewhere).unwrap();
    assert_recovers(&scene);
}

#[test]
fn state_of_another_user_stops_the_start() {
    if !geteuid().is_root() {
        return skipped::because("only root can give a file away");
    }
    const ANOTHER: u32 = 54_321;
    let scene = stopped(25);
    for path in [scene.record(".rec"), scene.state_dir()] {
        chown(&path, Some(ANOTHER), None).unwrap();
        assert_refused(&scene, &path, "belongs to uid 54321, tokend runs as uid 0", "`chown 0` it");
        chown(&path, Some(0), None).unwrap();
    }
    assert_recovers(&scene);
}

#[test]
fn a_folder_in_use_stops_the_start_and_names_who_uses_it() {
    let (scene, daemon) = Scene::with_chain(26);
    assert_refused(&scene, &scene.state_dir(), &format!("pid {}", daemon.pid()), "a `state_dir` of its own");
    scene.assert_alive();
}

#[test]
fn what_an_interrupted_write_or_somebody_else_left_does_no_harm() {
    let scene = stopped(27);
    let (record, folder) = (scene.record(".rec"), scene.state_dir());
    let content = fs::read(&record).unwrap();
    let half = &content[..content.len() / 2];
    let leftovers = [".tmp", ".old", ".spare"].map(|extension| record.with_extension(&extension[1..]));
    for path in &leftovers {
        fs::write(path, half).unwrap();
        set_mode(path, 0o600);
    }
    let foreign = folder.join("notes.txt");
    fs::write(&foreign, "not tokend's").unwrap();
    fs::create_dir(folder.join("lost+found")).unwrap();
    let before = scene.refreshes();
    let daemon = scene.world.start();
    scene.assert_alive();
    assert_eq!(scene.refreshes(), before, "the chain was settled: its token is served as it is");
    assert!(!daemon.log().contains("cannot be read"), "{}", daemon.log());
    for path in &leftovers {
        assert!(!path.exists(), "{} is still there", path.display());
    }
    assert_eq!(fs::read_to_string(&foreign).unwrap(), "not tokend's");
    let ran = scene.ctl.run(&["refresh", super::scene::CHAIN]);
    assert_eq!(ran.status, 0, "{ran:?}");
    scene.assert_alive();
}

/// CRC-32 as in IEEE 802.3, bit by bit: the record's own code is not asked about itself.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum: u32, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg()))
    })
}
