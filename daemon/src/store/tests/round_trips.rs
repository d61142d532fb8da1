//! What is written is read back; revisions; the asynchronous front.

use super::*;
use crate::store::{FileStore, Store};

fn every_record() -> Vec<(RecordKey, Record)> {
    let chain = |state| Record::Chain(ChainRecord { state, ..ChainRecord::default() });
    let since = mark(-8);
    let mut records = vec![
        (key(), chain(ChainState::Empty)),
        (key(), settled("1")),
        (key(), in_flight("1")),
        (key(), chain(ChainState::AwaitingLogin { since })),
        (candidate_key(), candidate()),
        (quota_key(), Record::Quota(QuotaRecord::default())),
    ];
    let causes = [LostCause::ReplyLost, LostCause::Expired, LostCause::Revoked, LostCause::RecordUnreadable];
    records.extend(causes.map(|why| (key(), chain(ChainState::Lost { since, why }))));
    let outcomes = [LoginOutcome::Open, LoginOutcome::Failed, LoginOutcome::Minted];
    records.extend(outcomes.map(|outcome| (quota_key(), quota(outcome))));
    records
}

#[test]
fn every_record_is_read_back_as_it_was_plain_or_sealed() {
    for seal in [None, Some(state_key("a"))] {
        for (key, record) in every_record() {
            let folder = tempfile::tempdir().unwrap();
            let mut shelf = open_sealed(folder.path(), seal.clone());
            shelf.write(&key, Revision(0), Some(&record)).unwrap();
            drop(shelf);
            let loaded = Shelf::open(folder.path(), seal.clone()).unwrap().load().unwrap();
            let expected = Restored { key, revision: Revision(1), content: RestoredContent::Newest(record) };
            assert_eq!(loaded, Loaded { records: vec![expected], ..Loaded::default() });
        }
    }
}

#[test]
fn records_of_one_profile_do_not_touch_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = open(folder.path());
    for (key, record) in
        [(key(), settled("1")), (candidate_key(), candidate()), (quota_key(), quota(LoginOutcome::Open))]
    {
        shelf.write(&key, Revision(0), Some(&record)).unwrap();
    }
    shelf.write(&candidate_key(), Revision(1), None).unwrap();
    drop(shelf);
    let keys: Vec<_> = load(folder.path()).unwrap().records.into_iter().map(|restored| restored.key).collect();
    assert_eq!(keys, [key(), quota_key()]);
}

#[test]
fn a_write_that_replaces_another_revision_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = open(folder.path());
    write_all(&mut shelf, &key(), &[settled("1"), settled("2")]);
    for (wrong, record) in [(0, Some(settled("3"))), (1, Some(settled("3"))), (3, Some(settled("3"))), (1, None)] {
        let error = shelf.write(&key(), Revision(wrong), record.as_ref()).unwrap_err();
        assert!(matches!(error, StoreError::Conflict { found: Revision(2), .. }), "{error}");
    }
    let error = shelf.write(&quota_key(), Revision(1), None).unwrap_err();
    assert!(matches!(error, StoreError::Conflict { found: Revision(0), .. }), "{error}");
    drop(shelf);
    assert_eq!(load_only(folder.path()), (Some(RestoredContent::Newest(settled("2"))), vec![]));
}

#[test]
fn a_removed_record_begins_anew_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = open(folder.path());
    write_all(&mut shelf, &key(), &[settled("1"), settled("2"), in_flight("2")]);
    shelf.write(&key(), Revision(3), None).unwrap();
    assert_eq!(names(folder.path()), Vec::<String>::new());
    shelf.write(&key(), Revision(0), Some(&settled("4"))).unwrap();
    drop(shelf);
    assert_eq!(load_only(folder.path()), (Some(RestoredContent::Newest(settled("4"))), vec![]));
}

#[test]
fn a_record_under_a_key_of_another_kind_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = open(folder.path()).write(&quota_key(), Revision(0), Some(&settled("1"))).unwrap_err();
    assert!(matches!(error, StoreError::WrongKind { .. }), "{error}");
}

#[test]
fn a_record_too_large_to_be_read_back_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = open(folder.path());
    for bytes in [crate::store::envelope::MAX_RECORD - 300, 2 * crate::store::envelope::MAX_RECORD] {
        let error = shelf.write(&key(), Revision(0), Some(&settled(&"x".repeat(bytes)))).unwrap_err();
        assert!(matches!(error, StoreError::TooLarge { .. }), "{error}");
    }
    assert_eq!(names(folder.path()), Vec::<String>::new());
    // Two tokens of 64 KiB in which every character is escaped do fit.
    let worst = Record::Chain(ChainRecord {
        refresh_token: Some(Secret::new("\"".repeat(64 * 1024))),
        access: Some(AccessRecord {
            token: Secret::new("\\".repeat(62 * 1024)),
            token_type: "bearer".to_owned(),
            life: Duration::ZERO,
            issued: None,
        }),
        ..ChainRecord::default()
    });
    shelf.write(&key(), Revision(0), Some(&worst)).unwrap();
    drop(shelf);
    assert_eq!(load_only(folder.path()), (Some(RestoredContent::Newest(worst)), vec![]));
}

#[test]
fn nothing_is_written_before_the_store_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = Shelf::open(folder.path(), None).unwrap();
    let error = shelf.write(&key(), Revision(0), Some(&settled("1"))).unwrap_err();
    assert!(matches!(error, StoreError::NotLoaded), "{error}");
}

#[test]
fn a_token_is_nowhere_in_a_sealed_folder_nor_in_any_debug_output() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = open_sealed(folder.path(), Some(state_key("b")));
    write_all(&mut shelf, &key(), &[settled("1"), in_flight("1"), settled("2")]);
    for name in names(folder.path()) {
        let content = std::fs::read(folder.path().join(&name)).unwrap();
        for word in [&b"refresh-"[..], b"access-"] {
            assert!(!content.windows(word.len()).any(|window| window == word), "{name}");
        }
    }
    let loaded = format!("{:?}", shelf.load().unwrap());
    assert!(!loaded.contains("refresh-2") && !loaded.contains("access-2"), "{loaded}");
}

#[tokio::test]
async fn a_write_whose_future_is_dropped_is_carried_out_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::open(folder.path(), None).unwrap();
    store.load().await.unwrap();
    let (key, record) = (key(), settled("1"));
    {
        let mut write = std::pin::pin!(store.write(&key, Revision(0), Some(&record)));
        // Polled once: begun. Whether it has ended yet does not matter.
        let _ = std::future::poll_fn(|context| std::task::Poll::Ready(write.as_mut().poll(context))).await;
    }
    // Writes are done in order.
    store.write(&key, Revision(1), Some(&settled("2"))).await.unwrap();
    drop(store);
    assert_eq!(load_only(folder.path()), (Some(RestoredContent::Newest(settled("2"))), vec![]));
}

#[tokio::test]
async fn a_store_can_be_used_through_the_trait_from_a_spawned_task() {
    async fn through<S: Store + 'static>(store: std::sync::Arc<S>) -> Loaded {
        let (other, key) = (store.clone(), quota_key());
        let write = async move { other.write(&key, Revision(0), Some(&quota(LoginOutcome::Minted))).await };
        store.load().await.unwrap();
        tokio::spawn(write).await.unwrap().unwrap();
        store.load().await.unwrap()
    }
    let folder = tempfile::tempdir().unwrap();
    let loaded = through(std::sync::Arc::new(FileStore::open(folder.path(), None).unwrap())).await;
    assert_eq!(loaded.records[0].content, RestoredContent::Newest(quota(LoginOutcome::Minted)));
}
