//! Statements of the snapshots.

/// Format of the tables below.
pub const FORMAT: i64 = 1;

pub const SCHEMA: &str = "
create table if not exists snapshot_format (version bigint not null primary key);
create table if not exists snapshot (
    partition bigint not null,
    entity bytea not null,
    seq bigint not null,
    due bigint,
    state bytea not null,
    primary key (partition, entity)
) /*sqlite without rowid*/;
create index if not exists snapshot_due on snapshot (partition, due, entity) where due is not null;
create table if not exists snapshot_checkpoint (
    partition bigint not null primary key,
    seq bigint not null,
    hash bytea not null,
    meta bytea not null
);
";

pub const FORMAT_GET: &str = "select max(version) from snapshot_format";
pub const FORMAT_SET: &str = "insert into snapshot_format (version) values ($1)";
pub const GET: &str = "select seq, due, state from snapshot where partition = $1 and entity = $2";
pub const DUE: &str = "select due, entity from snapshot
    where partition = $1 and due is not null and due <= $2 and (due, entity) > ($4, $5)
    order by due, entity limit $3";
pub const SCAN: &str = "select entity, seq, due, state from snapshot
    where partition = $1 and entity > $2 order by entity limit $3";
pub const SCAN_ALL: &str = "select entity, seq, due, state from snapshot
    where partition = $1 order by entity limit $2";
pub const COUNT: &str = "select count(*) from snapshot where partition = $1";
pub const PUT: &str = "insert into snapshot (partition, entity, seq, due, state) values ($1, $2, $3, $4, $5)
    on conflict (partition, entity) do update
    set seq = excluded.seq, due = excluded.due, state = excluded.state";
pub const REMOVE: &str = "delete from snapshot where partition = $1 and entity = $2";
pub const CHECKPOINT_GET: &str = "select seq, hash, meta from snapshot_checkpoint where partition = $1";
pub const CHECKPOINT_PUT: &str = "insert into snapshot_checkpoint (partition, seq, hash, meta)
    values ($1, $2, $3, $4)
    on conflict (partition) do update set seq = excluded.seq, hash = excluded.hash, meta = excluded.meta";
pub const CLEAR: &str = "delete from snapshot where partition = $1";
pub const CHECKPOINT_CLEAR: &str = "delete from snapshot_checkpoint where partition = $1";
