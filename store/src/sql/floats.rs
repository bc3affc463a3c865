//! Statements about floats: every movement of one, what was taken back of top-ups, and what connectors hand over.

pub const SCHEMA: &str = "
create table if not exists float_line (
    partner bigint not null,
    seq bigint not null,
    at bigint not null,
    operator bigint not null,
    kind bigint not null,
    top_up bytea,
    reference text not null,
    gross bigint not null,
    commission bigint not null,
    delta bigint not null,
    balance bigint not null,
    primary key (partner, seq)
) /*sqlite without rowid*/;
create index if not exists float_line_at on float_line (partner, at);
create table if not exists top_up_back (
    id bytea not null primary key,
    gross bigint not null,
    unused bigint not null,
    tax bigint not null,
    commission bigint not null,
    at bigint not null
) /*sqlite without rowid*/;
create table if not exists top_up_outside (
    id bytea not null primary key,
    partner bigint not null,
    digest bytea not null,
    connector text not null,
    open bigint not null,
    reference text not null,
    created_at bigint not null
) /*sqlite without rowid*/;
create unique index if not exists top_up_outside_external on top_up_outside (partner, digest);
create index if not exists top_up_outside_open on top_up_outside (open, created_at, id);
";

pub const LAST: &str = "select seq, balance from float_line where partner = $1 order by seq desc limit 1";
pub const LINE_PUT: &str =
    "insert into float_line (partner, seq, at, operator, kind, top_up, reference, gross, commission,
    delta, balance) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
pub const TOP_UP_STATE: &str =
    "update top_up set state = $3, updated_at = $4 where partner = $1 and digest = $2";
pub const BACK_PUT: &str = "insert into top_up_back (id, gross, unused, tax, commission, at)
    select id, $3, $4, $5, $6, $7 from top_up where partner = $1 and digest = $2";
pub const OUTSIDE_PUT: &str =
    "insert into top_up_outside (id, partner, digest, connector, open, reference, created_at)
    values ($1, $2, $3, $4, 1, '', $5)";
pub const OUTSIDE_END: &str =
    "update top_up_outside set open = 0, reference = $3 where partner = $1 and digest = $2";
pub const OUTSIDE_OPEN: &str = "select partner, digest, connector, created_at, id from top_up_outside
    where open = 1 and (created_at > $1 or (created_at = $1 and id > $2)) order by created_at, id limit $3";

/// The number before the first movement from a moment on; null: there is none.
pub const FIRST: &str = "select min(seq) - 1 from float_line where partner = $1 and at >= $2";
pub const LINES: &str =
    "select l.seq, l.at, l.operator, l.kind, l.top_up, l.reference, l.gross, l.commission, l.delta, l.balance,
    t.external_id, t.msisdn, t.account, t.state, t.tax, t.credited, t.receipt, b.tax, b.unused, o.connector, o.reference
    from float_line l left join top_up t on t.id = l.top_up left join top_up_back b on b.id = l.top_up
    left join top_up_outside o on o.id = l.top_up
    where l.partner = $1 and l.seq > $2 and l.at < $3 order by l.seq limit $4";
/// Sales of a span that have not ended.
pub const UNDECIDED: &str = "select count(*) from float_line l join top_up t on t.id = l.top_up
    where l.partner = $1 and l.at >= $2 and l.at < $3 and l.kind = $4 and t.state = $5";
/// Sales of a span by the hour since 1970 on a clock that is $5 microseconds ahead of UTC.
pub const SALES_BY_HOUR: &str = "select (at + $5) / 3600000000, count(*) from float_line
    where partner = $1 and at >= $2 and at < $3 and kind = $4 group by 1 order by 1";
/// Sums by day (shifted by $4), operator, kind and state of a sale.
pub const SUMMARY: &str = "select (l.at + $4) / 86400000000, l.operator, l.kind, coalesce(t.state, -1), count(*),
    sum(l.gross), sum(case when l.kind = $5 then coalesce(b.tax, 0) else coalesce(t.tax, 0) end),
    sum(case when l.kind = $5 then coalesce(b.unused, 0) else coalesce(t.credited, 0) end), sum(l.commission), sum(l.delta)
    from float_line l left join top_up t on t.id = l.top_up left join top_up_back b on b.id = l.top_up
    where l.partner = $1 and l.at >= $2 and l.at < $3 group by 1, 2, 3, 4 order by 1, 2, 3, 4";
