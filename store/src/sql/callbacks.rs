//! Statements of the callbacks.

/// Format of the tables below.
pub const FORMAT: i64 = 1;

pub const SCHEMA: &str = "
create table if not exists callback_format (version bigint not null primary key);
create table if not exists callback_position (partition bigint not null primary key, seq bigint not null);
create table if not exists callback (
    partner bigint not null,
    test bigint not null,
    sequence bigint not null,
    topup bytea not null,
    url text not null,
    due bytea not null,
    at bigint not null,
    state bigint not null,
    retry_at bigint not null,
    attempts bigint not null,
    since bigint not null,
    status bigint,
    reason text,
    updated_at bigint not null,
    primary key (partner, test, sequence)
);
create index if not exists callback_pending on callback (partner, test, sequence) where state = 0;
create index if not exists callback_retry on callback (retry_at) where state = 0;
create index if not exists callback_topup on callback (partner, test, topup, sequence) where state = 0;
create index if not exists callback_done on callback (updated_at) where state > 0;
create index if not exists callback_parked on callback (partner, test) where state = 2;
";

pub const FORMAT_GET: &str = "select max(version) from callback_format";
pub const FORMAT_SET: &str = "insert into callback_format (version) values ($1)";
pub const POSITIONS: &str = "select partition, seq from callback_position order by partition";
pub const POSITION_PUT: &str = "insert into callback_position (partition, seq) values ($1, $2)
    on conflict (partition) do update set seq = excluded.seq";
pub const PUT: &str = "insert into callback
    (partner, test, sequence, topup, url, due, at, state, retry_at, attempts, since, updated_at)
    values ($1, $2, $3, $4, $5, $6, $7, 0, $7, 0, $7, $7) on conflict (partner, test, sequence) do nothing";
pub const STREAMS: &str = "select distinct partner, test from callback where state = 0 and retry_at <= $1";
/// What is due of one partner, in order; a later change of a top-up waits for the earlier one.
pub const DUE: &str = "select partner, test, sequence, url, due, at, state, retry_at, attempts, since, status, reason,
    updated_at from callback as c where partner = $1 and test = $2 and state = 0 and retry_at <= $3
    and not exists (select 1 from callback as e where e.partner = c.partner and e.test = c.test and e.topup = c.topup
        and e.sequence < c.sequence and e.state = 0)
    order by sequence limit $4";
pub const NEXT_RETRY: &str = "select min(retry_at) from callback where state = 0";
pub const DELIVERED: &str =
    "update callback set state = 1, attempts = attempts + 1, status = $4, reason = null,
    updated_at = $5 where partner = $1 and test = $2 and sequence = $3 and state = 0";
pub const RETRY: &str =
    "update callback set attempts = attempts + 1, status = $4, reason = $5, retry_at = $6,
    updated_at = $7 where partner = $1 and test = $2 and sequence = $3 and state = 0";
pub const PARK: &str = "update callback set state = 2, attempts = attempts + 1, status = $4, reason = $5,
    updated_at = $6 where partner = $1 and test = $2 and sequence = $3 and state = 0";
pub const LIST: &str =
    "select partner, test, sequence, url, due, at, state, retry_at, attempts, since, status, reason,
    updated_at from callback where partner = $1 and test = $2 and sequence > $3 and ($4 < 0 or state = $4)
    order by sequence limit $5";
pub const ONE: &str =
    "select partner, test, sequence, url, due, at, state, retry_at, attempts, since, status, reason,
    updated_at from callback where partner = $1 and test = $2 and sequence = $3";
pub const REPLAY: &str =
    "update callback set state = 0, retry_at = $4, since = $4, attempts = 0, reason = null,
    status = null, updated_at = $4 where partner = $1 and test = $2 and sequence = $3";
pub const REPLAY_PARKED: &str =
    "update callback set state = 0, retry_at = $3, since = $3, attempts = 0, reason = null,
    status = null, updated_at = $3 where partner = $1 and test = $2 and state = 2";
/// Read from indexes of what they count.
pub const BACKLOG: &str = "select (select count(*) from callback where state = 0),
    (select count(*) from callback where state = 2)";
pub const PURGE: &str = "delete from callback where state = 1 and updated_at < $1";
