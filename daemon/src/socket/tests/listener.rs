//! The path of a socket of our own: made, taken over, left alone.

use std::os::unix::net::UnixStream;

use super::*;

fn listener(path: &Path) -> Result<Listener, ListenError> {
    Listener::bind(path, Admitted::OwnGroup)
}

/// Of a group that is not ours.
const FOREIGN: u32 = 54_321;

/// A socket file whose listener has died.
fn leave_stale(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
    assert!(path.exists());
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_socket_has_its_mode_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokend.sock");
    let bound = listener(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o660);
    assert_eq!(names_in(folder.path()), ["tokend.sock"]);
    UnixStream::connect(&path).unwrap();
    drop(bound);
    assert_eq!(names_in(folder.path()), Vec::<String>::new());
}

#[test]
fn a_live_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokend.sock");
    let first = UnixListener::bind(&path).unwrap();
    let before = Inode::of(&path).unwrap();
    assert!(matches!(listener(&path), Err(ListenError::Served(served)) if served == path));
    assert_eq!(Inode::of(&path).unwrap(), before);
    UnixStream::connect(&path).unwrap();
    assert_eq!(names_in(folder.path()), ["tokend.sock"]);
    drop(first);
}

#[test]
fn a_live_socket_with_a_full_backlog_is_live() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokend.sock");
    let first = bind_unreachable(&path).unwrap();
    listen(&first, Backlog::new(0).unwrap()).unwrap();
    // listen(2): a backlog of 0 still takes one.
    let mut waiting = vec![connect(&path)];
    while waiting.last().unwrap().is_ok() && waiting.len() < 1_000 {
        waiting.push(connect(&path));
    }
    assert!(matches!(listener(&path), Err(ListenError::Served(_))));
}

#[test]
fn a_stale_socket_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokend.sock");
    leave_stale(&path);
    let _bound = listener(&path).unwrap();
    UnixStream::connect(&path).unwrap();
    assert_eq!(names_in(folder.path()), ["tokend.sock"]);
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokend.sock");
    fs::write(&path, "precious").unwrap();
    assert!(matches!(listener(&path), Err(ListenError::NoSocket(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    fs::remove_file(&path).unwrap();
    leave_stale(&folder.path().join("elsewhere"));
    std::os::unix::fs::symlink("elsewhere", &path).unwrap();
    assert!(matches!(listener(&path), Err(ListenError::NoSocket(_))));
}

#[test]
fn of_many_that_start_at_once_one_gets_the_path() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokend.sock");
        leave_stale(&path);
        let started: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| listener(&path))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let bound: Vec<_> = started.iter().filter_map(|result| result.as_ref().ok()).collect();
        assert_eq!(bound.len(), 1, "{started:?}");
        let inode = &bound[0].own.as_ref().unwrap().inode;
        assert_eq!(Inode::of(&path).unwrap(), *inode);
        assert_eq!(names_in(folder.path()), ["tokend.sock"]);
    }
}

#[test]
fn a_path_that_has_become_another_sockets_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokend.sock");
    let first = listener(&path).unwrap();
    fs::rename(&path, folder.path().join("moved")).unwrap();
    let second = listener(&path).unwrap();
    drop(first);
    UnixStream::connect(&path).unwrap();
    drop(second);
    assert!(!path.exists());
}

#[test]
fn a_missing_folder_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let error = listener(&folder.path().join("missing/tokend.sock")).unwrap_err();
    assert!(error.to_string().contains("missing for the socket does not exist: create it"), "{error}");
    assert_eq!(names_in(folder.path()), Vec::<String>::new());
}

#[test]
fn the_group_is_set_and_one_that_is_not_ours_to_give_to_is_an_error_only_if_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokend.sock");
    let own = nix::unistd::getegid().as_raw();
    let bound = Listener::bind(&path, Admitted::Group(own)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().gid(), own);
    assert!(bound.narrow_door().is_none());
    drop(bound);
    let usual = Listener::bind(&path, Admitted::GroupIfPossible(FOREIGN)).unwrap();
    let is_root = nix::unistd::geteuid().is_root();
    assert_eq!(fs::metadata(&path).unwrap().gid(), if is_root { FOREIGN } else { own });
    drop(usual);
    match Listener::bind(&path, Admitted::Group(FOREIGN)) {
        Ok(_) => assert!(is_root),
        Err(error) => assert!(error.to_string().contains("root or a member"), "{error}"),
    }
}

#[test]
fn a_socket_that_is_handed_over_has_to_listen_and_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokend.sock");
    let deaf = bind_unreachable(&path).unwrap();
    let error = Listener::handed_over(deaf.into()).unwrap_err();
    assert!(error.to_string().contains("does not listen"), "{error}");
    fs::remove_file(&path).unwrap();
    drop(Listener::handed_over(UnixListener::bind(&path).unwrap()).unwrap());
    assert!(path.exists());
}

#[test]
fn a_socket_whose_group_is_not_known_yet_is_its_users_alone_until_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokend.sock");
    let bound = Listener::bind(&path, Admitted::NobodyYet).unwrap();
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(), 0o600);
    let own = nix::unistd::getegid().as_raw();
    let door = bound.narrow_door().unwrap();
    door.open_to(own).unwrap();
    assert_eq!((mode(), fs::metadata(&path).unwrap().gid()), (0o660, own));
    let beside = folder.path().join("other.sock");
    let _other = Listener::bind(&beside, Admitted::NobodyYet).unwrap();
    fs::rename(&beside, &path).unwrap();
    assert!(door.open_to(own).is_err(), "it is another socket's");
    assert_eq!(mode(), 0o600);
}
