//! Statements of letters and campaigns, in the file of the outbox.

pub const SCHEMA: &str = "
create table if not exists letter (
    letter bigint not null primary key,
    origin text not null,
    way bigint not null,
    recipient bigint not null,
    operator bigint not null,
    account bigint not null,
    person bigint not null,
    notice text not null,
    matter bytea not null,
    at bigint not null,
    until bigint not null,
    state bigint not null,
    retry_at bigint not null,
    attempts bigint not null,
    message_id text,
    reason text,
    updated_at bigint not null,
    unique (origin, way, recipient)
);
create index if not exists letter_pending on letter (way, operator, retry_at) where state = 0;
create index if not exists letter_message on letter (message_id) where message_id is not null;
create index if not exists letter_done on letter (updated_at) where state > 0;
create index if not exists letter_failed on letter (way) where state = 3;
create table if not exists campaign (
    campaign text not null primary key,
    operator bigint not null,
    promotion text not null,
    per_second bigint not null,
    stop text not null,
    started_at bigint not null,
    updated_at bigint not null,
    next_at bigint not null,
    reached bigint not null,
    done bigint not null,
    told bigint not null,
    left_out bigint not null
);
create table if not exists campaign_told (
    campaign text not null,
    person bigint not null,
    at bigint not null,
    primary key (campaign, person)
);
";

pub const LAST: &str = "select coalesce(max(letter), 0) from letter";
pub const PUT: &str = "insert into letter
    (letter, origin, way, recipient, operator, account, person, notice, matter, at, until, state, retry_at, attempts,
    updated_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, 0, $10) on conflict (origin, way, recipient) do nothing";
pub const LAST_OF: &str = "select max(origin) from letter where origin > $1 and origin < $2";
pub const DUE: &str =
    "select letter, way, recipient, operator, account, person, notice, matter, at, until, attempts
    from letter where state = 0 and way = $1 and operator = $2 and retry_at <= $3 order by retry_at limit $4";
pub const OPERATORS: &str = "select distinct operator from letter where state = 0 and way = $1";
pub const NEXT_RETRY: &str = "select min(retry_at) from letter where state = 0 and way = $1";
pub const SENT: &str = "update letter set state = 1, attempts = attempts + 1, message_id = $2, reason = null,
    updated_at = $3 where letter = $1 and state = 0";
pub const RETRY: &str =
    "update letter set attempts = attempts + 1, reason = $2, retry_at = $3, updated_at = $4
    where letter = $1 and state = 0";
pub const GIVE_UP: &str = "update letter set state = 3, attempts = attempts + 1, reason = $2, updated_at = $3
    where letter = $1 and state = 0";
pub const DELIVERED: &str =
    "update letter set state = 2, updated_at = $2 where message_id = $1 and state = 1";
pub const UNDELIVERED: &str = "update letter set state = 3, reason = $2, updated_at = $3
    where message_id = $1 and state = 1";
/// Read from indexes of what they count.
pub const BACKLOG: &str = "select way, count(*), 0 from letter where state = 0 group by way
    union all select way, 0, count(*) from letter where state = 3 group by way";
pub const PURGE: &str = "delete from letter where letter in
    (select letter from letter where state > 0 and updated_at < $1 order by updated_at limit $2)";

pub const CAMPAIGN_START: &str = "insert into campaign
    (campaign, operator, promotion, per_second, stop, started_at, updated_at, next_at, reached, done, told, left_out)
    values ($1, $2, $3, $4, $5, $6, $6, $6, 0, 0, 0, 0)
    on conflict (campaign) do update set per_second = excluded.per_second, stop = excluded.stop,
    started_at = excluded.started_at, updated_at = excluded.updated_at, reached = 0, done = 0, left_out = 0";
pub const CAMPAIGN: &str =
    "select campaign, operator, promotion, per_second, stop, started_at, updated_at, next_at,
    reached, done, told, left_out from campaign where campaign = $1";
pub const CAMPAIGNS_OPEN: &str =
    "select campaign, operator, promotion, per_second, stop, started_at, updated_at, next_at,
    reached, done, told, left_out from campaign where done = 0 order by started_at";
pub const CAMPAIGN_STEP: &str = "update campaign set next_at = $2, reached = $3, done = $4, told = told + $5,
    left_out = left_out + $6, updated_at = $7 where campaign = $1 and done = 0 and started_at = $8";
pub const TOLD: &str = "insert into campaign_told (campaign, person, at) values ($1, $2, $3)
    on conflict (campaign, person) do nothing";
pub const CAMPAIGN_LETTERS: &str =
    "select state, count(*) from letter where origin > $1 and origin < $2 group by state";
