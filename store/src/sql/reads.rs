//! Statements of the read models.
//!
//! Codes in small integers are the first byte of the value's journal form (`charge::codec`); money is in micro-units, times
//! are microseconds, 128-bit ids are 16 bytes, big-endian.

/// Format of the tables below.
pub const FORMAT: i64 = 1;

pub const SCHEMA: &str = "
create table if not exists read_format (version bigint not null primary key);
create table if not exists read_position (partition bigint not null primary key, seq bigint not null, at bigint not null);
create table if not exists subscriber (
    account bigint not null primary key,
    operator bigint not null,
    msisdn bigint not null,
    imsi bigint,
    language bigint not null,
    tax_class bigint not null,
    state bigint not null,
    opened_at bigint not null,
    updated_at bigint not null
);
create index if not exists subscriber_msisdn on subscriber (msisdn);
create index if not exists subscriber_operator on subscriber (operator, account);
create table if not exists usage_record (
    account bigint not null,
    session bytea not null,
    operator bigint not null,
    service bigint not null,
    session_id text,
    called_kind bigint not null,
    called bigint not null,
    class bigint not null,
    place bigint not null,
    plmn bigint not null,
    region text not null,
    opened_at bigint not null,
    last_at bigint not null,
    closed bigint not null,
    reports bigint not null,
    used bigint not null,
    money bigint not null,
    tax bigint not null,
    from_buckets bigint not null,
    uncovered bigint not null,
    balance bigint not null,
    partition bigint not null,
    events bytea not null,
    primary key (account, session)
) /*sqlite without rowid*/;
create table if not exists statement_line (
    account bigint not null,
    line bigint not null,
    partition bigint not null,
    operator bigint not null,
    at bigint not null,
    kind bigint not null,
    amount bigint not null,
    balance bigint,
    tax bigint not null,
    title text not null,
    receipt bigint,
    gross bigint,
    tax_rate bigint,
    fee bigint,
    valid_until bigint,
    channel text,
    reference text,
    primary key (account, line)
) /*sqlite without rowid*/;
create table if not exists read_tail (
    step bigint not null,
    bucket bigint not null,
    changes bytea not null,
    primary key (step, bucket)
) /*sqlite without rowid*/;
create table if not exists read_merged (bucket bigint not null primary key, step bigint not null);
create view if not exists receipt as
    select account, receipt as event, operator, at, gross, tax, tax_rate, fee, amount as credited, balance, valid_until,
        title as promotion, channel, reference
    from statement_line where receipt is not null;
create table if not exists top_up (
    id bytea not null primary key,
    partner bigint not null,
    digest bytea not null,
    external_id text not null,
    msisdn bigint not null,
    account bigint not null,
    operator bigint not null,
    gross bigint not null,
    state bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    tax bigint,
    fee bigint,
    credited bigint,
    promotion text,
    receipt bigint,
    reason bigint
) /*sqlite without rowid*/;
create unique index if not exists top_up_external on top_up (partner, digest);
create index if not exists top_up_partner on top_up (partner, id);
create table if not exists partner (
    partner bigint not null primary key,
    name text not null,
    code text not null,
    float bigint not null,
    in_transit bigint not null,
    opened_at bigint not null,
    updated_at bigint not null
);
create table if not exists gl_day_total (
    operator bigint not null,
    day bigint not null,
    ledger_account text not null,
    unit bigint not null,
    amount bigint not null,
    primary key (operator, day, ledger_account, unit)
) /*sqlite without rowid*/;
";

/// Tables with their positions, in the order in which a rebuild empties and an audit compares them.
pub const TABLES: [&str; 15] = [
    "read_position",
    "subscriber",
    "usage_record",
    "statement_line",
    "top_up",
    "payment",
    "partner",
    "float_line",
    "top_up_back",
    "top_up_outside",
    "seller",
    "stock_move",
    "seller_sale",
    "seller_earned",
    "gl_day_total",
];

pub const FORMAT_GET: &str = "select max(version) from read_format";
pub const FORMAT_SET: &str = "insert into read_format (version) values ($1)";

pub const POSITIONS: &str = "select partition, seq, at from read_position order by partition";
pub const POSITION_PUT: &str = "insert into read_position (partition, seq, at) values ($1, $2, $3)
    on conflict (partition) do update set seq = excluded.seq, at = excluded.at";

/// The tail: entries of a step by bucket, and up to which step a bucket is merged into its tables.
pub const TAIL_PUT: &str = "insert into read_tail (step, bucket, changes) values ($1, $2, $3)";
pub const TAIL_GET: &str = "select changes from read_tail where step = $1 and bucket = $2";
pub const TAIL_FIRST: &str = "select min(step) from read_tail";
pub const TAIL_LAST: &str = "select max(step) from read_tail";
pub const TAIL_KEYS: &str = "select step, bucket, length(changes) from read_tail order by step, bucket";
pub const TAIL_REMOVE: &str = "delete from read_tail where step < $1";
pub const MERGED: &str = "select bucket, step from read_merged";
pub const MERGED_GET: &str = "select step from read_merged where bucket = $1";
pub const MERGED_PUT: &str = "insert into read_merged (bucket, step) values ($1, $2)
    on conflict (bucket) do update set step = excluded.step";

/// Tables of the tail; they say nothing that the others will not say.
pub const TAIL_TABLES: [&str; 2] = ["read_tail", "read_merged"];

pub const SUBSCRIBER_PUT: &str = "insert into subscriber
    (account, operator, msisdn, imsi, language, tax_class, state, opened_at, updated_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $8)";
pub const SUBSCRIBER_UPDATE: &str = "update subscriber set language = coalesce($2, language),
    tax_class = coalesce($3, tax_class), state = coalesce($4, state), updated_at = $5 where account = $1";
const SUBSCRIBER: &str =
    "select account, operator, msisdn, imsi, language, tax_class, state, opened_at, updated_at
    from subscriber";

/// The subscriber queries: by account, by number (newest account first), a page of an operator.
pub fn subscriber(by: &str) -> String {
    format!("{SUBSCRIBER} where {by}")
}

pub const USAGE_PUT: &str = "insert into usage_record (account, session, operator, service, session_id, called_kind,
    called, class, place, plmn, region, opened_at, last_at, closed, reports, used, money, tax, from_buckets, uncovered,
    balance, partition, events)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)
    on conflict (account, session) do update set
        last_at = excluded.last_at,
        closed = case when excluded.closed > usage_record.closed then excluded.closed else usage_record.closed end,
        reports = usage_record.reports + excluded.reports,
        used = usage_record.used + excluded.used,
        money = usage_record.money + excluded.money,
        tax = usage_record.tax + excluded.tax,
        from_buckets = usage_record.from_buckets + excluded.from_buckets,
        uncovered = usage_record.uncovered + excluded.uncovered,
        balance = excluded.balance,
        region = case when excluded.region <> '' then excluded.region else usage_record.region end,
        events = case when length(usage_record.events) < $24
            then substr(cast(usage_record.events || excluded.events as bytea), 1, $24)
            else usage_record.events end";
const USAGE: &str = "select account, session, operator, service, session_id, called_kind, called, class, place, plmn,
    region, opened_at, last_at, closed, reports, used, money, tax, from_buckets, uncovered, balance, partition, events
    from usage_record";
pub const USAGE_PAGE_WHERE: &str = "account = $1 and (opened_at < $2 or (opened_at = $2 and session < $3))
    order by opened_at desc, session desc limit $4";

/// The usage queries.
pub fn usage(by: &str) -> String {
    format!("{USAGE} where {by}")
}

pub const LINE_PUT: &str =
    "insert into statement_line (account, line, partition, operator, at, kind, amount, balance,
    tax, title, receipt, gross, tax_rate, fee, valid_until, channel, reference)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
const LINE: &str =
    "select account, line, partition, operator, at, kind, amount, balance, tax, title, receipt, gross,
    tax_rate, fee, valid_until, channel, reference from statement_line";
pub const RECEIPT_PAGE_WHERE: &str =
    "account = $1 and receipt is not null and (at < $2 or (at = $2 and line < $3))
    order by at desc, line desc limit $4";
pub const LINE_PAGE_WHERE: &str = "account = $1 and (at < $2 or (at = $2 and line < $3))
    order by at desc, line desc limit $4";

/// The statement queries.
pub fn line(by: &str) -> String {
    format!("{LINE} where {by}")
}

pub const TOP_UP_PUT: &str = "insert into top_up
    (id, partner, digest, external_id, msisdn, account, operator, gross, state, created_at, updated_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
pub const TOP_UP_SETTLE: &str =
    "update top_up set state = $3, updated_at = $4, tax = $5, fee = $6, credited = $7,
    promotion = $8, receipt = $9, reason = $10 where partner = $1 and digest = $2";
const TOP_UP: &str =
    "select id, partner, external_id, msisdn, account, operator, gross, state, created_at, updated_at,
    tax, fee, credited, promotion, receipt, reason from top_up";

/// The top-up queries.
pub fn top_up(by: &str) -> String {
    format!("{TOP_UP} where {by}")
}

pub const PARTNER_PUT: &str =
    "insert into partner (partner, name, code, float, in_transit, opened_at, updated_at)
    values ($1, $2, $3, 0, 0, $4, $4)";
pub const PARTNER_MOVE: &str =
    "update partner set float = float + $2, in_transit = in_transit + $3, updated_at = $4
    where partner = $1";
pub const PARTNERS: &str = "select partner, name, code, float, in_transit, opened_at, updated_at from partner
    order by partner limit $1";

pub const TOTAL_ADD: &str = "insert into gl_day_total (operator, day, ledger_account, unit, amount)
    values ($1, $2, $3, $4, $5) on conflict (operator, day, ledger_account, unit)
    do update set amount = gl_day_total.amount + excluded.amount";
pub const TOTALS: &str = "select operator, day, ledger_account, unit, amount from gl_day_total
    where operator = $1 and day between $2 and $3 order by day, ledger_account, unit";
pub const TOTALS_SUM: &str = "select unit, amount from gl_day_total";

/// Number of rows of a table of [`TABLES`].
pub fn count(table: &str) -> String {
    format!("select count(*) from {table}")
}

/// Removes every row of a table of [`TABLES`] or [`TAIL_TABLES`].
pub fn clear(table: &str) -> String {
    format!("delete from {table}")
}

/// Rows that are in the table and not in the same table of the attached `other`, and the other way round.
pub fn differences(table: &str) -> String {
    format!(
        "select (select count(*) from (select * from main.{table} except select * from other.{table})),
                (select count(*) from (select * from other.{table} except select * from main.{table}))"
    )
}
