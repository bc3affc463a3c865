//! Statements of the outbox.

/// Format of the tables below.
pub const FORMAT: i64 = 1;

pub const SCHEMA: &str = "
create table if not exists outbox_format (version bigint not null primary key);
create table if not exists outbox_position (partition bigint not null primary key, seq bigint not null);
create table if not exists outbox (
    partition bigint not null,
    seq bigint not null,
    record bigint not null,
    kind bigint not null,
    operator bigint not null,
    account bigint not null,
    at bigint not null,
    event bytea not null,
    state bigint not null,
    retry_at bigint not null,
    attempts bigint not null,
    message_id text,
    reason text,
    updated_at bigint not null,
    primary key (partition, seq, record)
);
create index if not exists outbox_pending on outbox (retry_at) where state = 0;
create index if not exists outbox_pending_of on outbox (operator, retry_at) where state = 0;
create index if not exists outbox_message on outbox (message_id) where message_id is not null;
drop index if exists outbox_done;
create index if not exists outbox_ended on outbox (updated_at) where state > 0;
create index if not exists outbox_failed on outbox (updated_at) where state = 3;
";

pub const FORMAT_GET: &str = "select max(version) from outbox_format";
pub const FORMAT_SET: &str = "insert into outbox_format (version) values ($1)";
pub const POSITIONS: &str = "select partition, seq from outbox_position order by partition";
pub const POSITION_PUT: &str = "insert into outbox_position (partition, seq) values ($1, $2)
    on conflict (partition) do update set seq = excluded.seq";
pub const PUT: &str = "insert into outbox
    (partition, seq, record, kind, operator, account, at, event, state, retry_at, attempts, updated_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, 0, $7, 0, $7) on conflict (partition, seq, record) do nothing";
pub const PENDING: &str =
    "select partition, seq, record, kind, operator, account, at, event, attempts from outbox
    where state = 0 and retry_at <= $1 order by retry_at limit $2";
pub const PENDING_OF: &str =
    "select partition, seq, record, kind, operator, account, at, event, attempts from outbox
    where state = 0 and operator = $1 and retry_at <= $2 order by retry_at limit $3";
pub const NEXT_RETRY: &str = "select min(retry_at) from outbox where state = 0";
pub const SENT: &str = "update outbox set state = 1, attempts = attempts + 1, message_id = $4, reason = null,
    updated_at = $5 where partition = $1 and seq = $2 and record = $3 and state = 0";
pub const RETRY: &str = "update outbox set state = 0, attempts = attempts + 1, reason = $4, retry_at = $5,
    message_id = null, updated_at = $6 where partition = $1 and seq = $2 and record = $3 and state < 2";
pub const GIVE_UP: &str = "update outbox set state = 3, attempts = attempts + 1, reason = $4, updated_at = $5
    where partition = $1 and seq = $2 and record = $3 and state < 2";
pub const DELIVERED: &str =
    "update outbox set state = 2, updated_at = $2 where message_id = $1 and state = 1";
pub const UNDELIVERED: &str = "update outbox set state = 3, reason = $2, updated_at = $3
    where message_id = $1 and state = 1";
pub const COUNTS: &str = "select state, count(*) from outbox group by state order by state";
/// Each is read from an index of what it counts, so that a look at the backlog costs what the backlog is.
pub const BACKLOG: &str = "select (select count(*) from outbox where state = 0),
    (select count(*) from outbox where state = 3)";
pub const PURGE: &str = "delete from outbox where (partition, seq, record) in
    (select partition, seq, record from outbox where state > 0 and updated_at < $1 order by updated_at limit $2)";
