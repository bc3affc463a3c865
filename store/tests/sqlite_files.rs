//! Real files: full, read-only, torn, locked, newer and damaged ones give clear errors and lose nothing.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Command, Stdio};
use store::{
    AppendError, Batch, Checkpoint, Hash, JournalRow, SnapshotRow, SqliteOptions, SqliteStore, Store,
    StoreError, sample_row,
};

fn open(dir: &Path) -> SqliteStore {
    SqliteStore::open(dir, SqliteOptions::default()).unwrap()
}

/// A chain of batches with events of this size in partition 0.
fn chain(count: u64, event_bytes: usize) -> Vec<JournalRow> {
    let mut hash = Hash::NONE;
    (1..=count)
        .map(|seq| {
            let (row, next) = sample_row(0, seq, &hash, &vec![seq as u8; event_bytes]);
            hash = next;
            row
        })
        .collect()
}

fn stored(store: &SqliteStore) -> Vec<JournalRow> {
    store.journal_reader().unwrap().read(0, 1, usize::MAX).unwrap()
}

#[test]
fn everything_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let rows = chain(50, 3000);
    {
        let store = open(dir.path());
        store.journal().unwrap().append(&rows).unwrap();
        let row = SnapshotRow {
            partition: 0,
            key: vec![1],
            seq: 50,
            due: None,
            bytes: Some(vec![2]),
        };
        let point = Checkpoint {
            partition: 0,
            seq: 50,
            hash: Hash([1; 32]),
            meta: vec![9],
        };
        store.snapshot_writer().unwrap().put(&[row], &[point]).unwrap();
    }
    let store = open(dir.path());
    assert_eq!(stored(&store), rows);
    assert_eq!(store.journal_reader().unwrap().heads().unwrap()[0].seq, 50);
    assert_eq!(
        store
            .snapshot_reader()
            .unwrap()
            .checkpoint(0)
            .unwrap()
            .unwrap()
            .hash,
        Hash([1; 32])
    );
}

#[test]
fn a_full_disk_refuses_whole_appends_and_goes_on_when_there_is_space() {
    let dir = tempfile::tempdir().unwrap();
    let rows = chain(40, 50_000);
    let store = SqliteStore::open(
        dir.path(),
        SqliteOptions {
            journal_pages_max: Some(64),
            ..SqliteOptions::default()
        },
    )
    .unwrap();
    let mut journal = store.journal().unwrap();
    let mut durable = 0;
    let refused = loop {
        match journal.append(&rows[durable..durable + 2]) {
            Ok(()) => durable += 2,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AppendError::Full), "{refused:?}");
    assert!(durable > 0);
    assert_eq!(
        stored(&store),
        rows[..durable],
        "nothing of the refused append is there, all before it is"
    );
    assert!(
        matches!(
            journal.append(&rows[durable..durable + 2]),
            Err(AppendError::Full)
        ),
        "still full"
    );
    drop((journal, store));
    let store = open(dir.path());
    store
        .journal()
        .unwrap()
        .append(&rows[durable..])
        .expect("there is space again");
    assert_eq!(stored(&store), rows);
}

#[test]
fn a_read_only_journal_can_be_read_and_says_why_it_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let rows = chain(3, 100);
    open(dir.path()).journal().unwrap().append(&rows[..2]).unwrap();
    let options = SqliteOptions {
        journal_read_only: true,
        ..SqliteOptions::default()
    };
    let store = SqliteStore::open(dir.path(), options).unwrap();
    let refused = store.journal().unwrap().append(&rows[2..]);
    assert!(matches!(refused, Err(AppendError::ReadOnly)), "{refused:?}");
    assert_eq!(stored(&store), rows[..2]);
}

#[cfg(unix)]
#[test]
fn a_directory_without_permission_is_named_read_only() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("data");
    std::fs::create_dir(&dir).unwrap();
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::File::create(dir.join("probe")).is_ok() {
        // The superuser may write everywhere; a place where not even he may is the process directory.
        let refused = SqliteStore::open(Path::new("/proc/self/raseed"), SqliteOptions::default());
        assert!(refused.is_err());
        return;
    }
    let refused = SqliteStore::open(&dir, SqliteOptions::default()).err();
    assert!(matches!(refused, Some(StoreError::ReadOnly(_))), "{refused:?}");
}

/// Power fails while a transaction is on its way to the WAL: recovery keeps the transactions before it.
#[test]
fn a_torn_last_transaction_is_dropped_whole() {
    let rows = chain(4, 20_000);
    let source = tempfile::tempdir().unwrap();
    let store = open(source.path());
    let mut journal = store.journal().unwrap();
    journal.append(&rows[..2]).unwrap();
    let whole = std::fs::metadata(source.path().join("journal.sqlite-wal"))
        .unwrap()
        .len();
    journal.append(&rows[2..]).unwrap();
    let longer = std::fs::metadata(source.path().join("journal.sqlite-wal"))
        .unwrap()
        .len();
    assert!(longer > whole);
    for cut in [longer - 1, longer - 5000, whole + 30_000, whole + 1] {
        let dir = tempfile::tempdir().unwrap();
        for name in ["journal.sqlite", "journal.sqlite-wal"] {
            std::fs::copy(source.path().join(name), dir.path().join(name)).unwrap();
        }
        let wal = OpenOptions::new()
            .write(true)
            .open(dir.path().join("journal.sqlite-wal"))
            .unwrap();
        wal.set_len(cut).unwrap();
        drop(wal);
        let torn = open(dir.path());
        assert_eq!(stored(&torn), rows[..2], "cut at {cut} of {longer}");
        torn.journal()
            .unwrap()
            .append(&rows[2..])
            .expect("the position is free again");
        assert_eq!(stored(&torn), rows);
    }
}

#[test]
fn a_changed_byte_in_the_file_is_found_by_the_checksum() {
    let dir = tempfile::tempdir().unwrap();
    let rows = chain(2, 6000);
    open(dir.path()).journal().unwrap().append(&rows).unwrap();
    let path = dir.path().join("journal.sqlite");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes
        .windows(100)
        .position(|window| window == [2; 100])
        .expect("the event is in the file")
        + 50;
    bytes[at] = 77;
    std::fs::write(&path, bytes).unwrap();
    let found = stored(&open(dir.path()));
    assert!(Batch::parse(&found[0].batch).is_ok());
    assert!(Batch::parse(&found[1].batch).is_err());
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let db = rusqlite::Connection::open(dir.path().join("journal.sqlite")).unwrap();
    db.execute("insert into journal_format (version) values (99)", [])
        .unwrap();
    drop(db);
    let refused = SqliteStore::open(dir.path(), SqliteOptions::default())
        .err()
        .unwrap();
    assert_eq!(
        refused.to_string(),
        "journal.sqlite has format 99; this version reads 1"
    );
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("journal.sqlite"), [b'x'; 8192]).unwrap();
    let refused = SqliteStore::open(dir.path(), SqliteOptions::default()).err();
    assert!(matches!(refused, Some(StoreError::Corrupt { .. })), "{refused:?}");
}

#[test]
fn two_owners_of_a_directory_are_one_too_many() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let refused = SqliteStore::open(dir.path(), SqliteOptions::default()).err();
    let Some(StoreError::Locked { pid: Some(pid), .. }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(pid, std::process::id());
    let journal = store.journal().unwrap();
    drop(store);
    assert!(
        SqliteStore::open(dir.path(), SqliteOptions::default()).is_err(),
        "handles keep the directory"
    );
    drop(journal);
    drop(open(dir.path()));
}

#[test]
fn a_directory_is_free_once_it_is_dropped_while_children_are_started() {
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let child = Command::new("true").status().unwrap();
                assert!(child.success());
            }
        });
        let dir = tempfile::tempdir().unwrap();
        let again = || SqliteStore::open(dir.path(), SqliteOptions::default());
        let refused = (0..100).find_map(|_| again().err());
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(refused.is_none(), "{refused:?}");
    });
}

/// What the child of the next test does: append for ever, and say which batches are durable.
#[test]
fn child_appends_until_it_is_killed() {
    let Ok(dir) = std::env::var("RASEED_STORE_CHILD") else {
        return;
    };
    let store = open(Path::new(&dir));
    let head = store.journal_reader().unwrap().heads().unwrap().first().copied();
    let (mut seq, mut hash) = head.map_or((0, Hash::NONE), |head| (head.seq, head.hash));
    let mut journal = store.journal().unwrap();
    loop {
        seq += 1;
        let (row, next) = sample_row(0, seq, &hash, &vec![seq as u8; (seq % 50) as usize * 1000]);
        hash = next;
        journal.append(&[row]).unwrap();
        println!("durable {seq}");
    }
}

#[test]
fn what_was_durable_survives_kill_9() {
    use std::io::{BufRead, BufReader};
    let dir = tempfile::tempdir().unwrap();
    for round in 0..5u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_appends_until_it_is_killed", "--nocapture"])
            .env("RASEED_STORE_CHILD", dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let durable = |line: &String| {
            line.strip_prefix("durable ")
                .and_then(|seq| seq.parse::<u64>().ok())
        };
        let wanted = 20 + round * 37;
        let seen = lines
            .by_ref()
            .map_while(Result::ok)
            .filter_map(|line| durable(&line))
            .take(wanted as usize)
            .last();
        child.kill().unwrap();
        child.wait().unwrap();
        let last = lines
            .map_while(Result::ok)
            .filter_map(|line| durable(&line))
            .last()
            .or(seen)
            .unwrap();
        let store = open(dir.path());
        let (mut next, mut hash) = (1, Hash::NONE);
        for row in stored(&store) {
            let batch = Batch::parse(&row.batch).unwrap();
            batch.verify(0, next, &hash).unwrap();
            (next, hash) = (next + 1, batch.hash());
        }
        assert!(
            next > last,
            "batch {last} was said to be durable; the journal ends before {next}"
        );
    }
}
