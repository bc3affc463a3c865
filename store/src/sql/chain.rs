//! Statements about the selling chain: sellers, movements of stock, who sold what.

pub const SCHEMA: &str = "
create table if not exists seller (
    partner bigint not null primary key,
    parent bigint,
    grade text not null,
    outlet text not null,
    msisdn bigint,
    blocked bigint not null,
    above_blocked bigint not null,
    credit_line bigint not null,
    owed bigint not null,
    low_mark bigint not null,
    low bigint not null,
    opened_at bigint not null,
    updated_at bigint not null
);
create index if not exists seller_parent on seller (parent, partner);
create index if not exists seller_msisdn on seller (msisdn) where msisdn is not null;
create table if not exists stock_move (
    id bytea not null primary key,
    kind bigint not null,
    giver bigint not null,
    receiver bigint not null,
    asked_by bigint,
    reference text not null,
    digest bytea not null,
    amount bigint not null,
    back bigint not null,
    commission bigint not null,
    state bigint not null,
    reason bigint,
    created_at bigint not null,
    updated_at bigint not null
) /*sqlite without rowid*/;
create index if not exists stock_move_giver on stock_move (giver, id);
create index if not exists stock_move_receiver on stock_move (receiver, id);
create table if not exists seller_sale (
    partner bigint not null,
    digest bytea not null,
    day bigint not null,
    staff text not null,
    device text not null,
    reversed bigint not null,
    primary key (partner, digest)
) /*sqlite without rowid*/;
create index if not exists seller_sale_day on seller_sale (partner, day);
create table if not exists seller_earned (
    partner bigint not null,
    day bigint not null,
    what bigint not null,
    amount bigint not null,
    primary key (partner, day, what)
) /*sqlite without rowid*/;
";

pub const SELLER_PUT: &str = "insert into seller
    (partner, parent, grade, outlet, msisdn, blocked, above_blocked, credit_line, owed, low_mark, low, opened_at, updated_at)
    values ($1, $2, $3, $4, $5, 0, $6, 0, 0, 0, 0, $7, $7)";
pub const SELLER_BLOCK: &str = "update seller set blocked = $2, updated_at = $3 where partner = $1";
pub const SELLER_ABOVE: &str =
    "update seller set above_blocked = above_blocked + $2, updated_at = $3 where partner = $1";
pub const SELLER_OUTLET: &str = "update seller set outlet = $2, updated_at = $3 where partner = $1";
pub const SELLER_NUMBER: &str = "update seller set msisdn = $2, updated_at = $3 where partner = $1";
pub const SELLER_LINE: &str = "update seller set credit_line = $2, updated_at = $3 where partner = $1";
pub const SELLER_MARK: &str = "update seller set low_mark = $2, updated_at = $3 where partner = $1";
pub const SELLER_LOW: &str = "update seller set low = $2, updated_at = $3 where partner = $1 and low <> $2";
pub const SELLER_OWED: &str = "update seller set owed = owed + $2, updated_at = $3 where partner = $1";

const SELLER: &str =
    "select s.partner, s.parent, s.grade, s.outlet, s.msisdn, s.blocked, s.above_blocked, s.credit_line,
    s.owed, s.low_mark, s.low, s.opened_at, p.name, p.code, p.float, p.in_transit
    from seller s join partner p on p.partner = s.partner";

/// The seller queries.
pub fn seller(by: &str) -> String {
    format!("{SELLER} where {by}")
}
pub const SELLER_BY_NUMBER: &str =
    "select partner from seller where msisdn = $1 order by updated_at desc, partner desc limit 1";

pub const MOVE_PUT: &str = "insert into stock_move (id, kind, giver, receiver, asked_by, reference, digest, amount, back,
    commission, state, reason, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, null, $10, $10)";
pub const MOVE_SETTLE: &str =
    "update stock_move set state = $3, commission = $4, reason = $5, updated_at = $6
    where giver = $1 and digest = $2";
const MOVE: &str =
    "select id, kind, giver, receiver, asked_by, reference, amount, back, commission, state, reason,
    created_at, updated_at from stock_move";
/// Movements of a seller, given or received, the newest first.
pub const MOVES_OF_WHERE: &str = "(giver = $1 or receiver = $1) and id < $2 order by id desc limit $3";

/// The movement queries.
pub fn stock_move(by: &str) -> String {
    format!("{MOVE} where {by}")
}

pub const SALE_PUT: &str = "insert into seller_sale (partner, digest, day, staff, device, reversed)
    values ($1, $2, $3, $4, $5, 0)";
pub const SALE_TAKEN: &str =
    "update seller_sale set reversed = reversed + $3 where partner = $1 and digest = $2";
pub const EARNED_ADD: &str = "insert into seller_earned (partner, day, what, amount) values ($1, $2, $3, $4)
    on conflict (partner, day, what) do update set amount = seller_earned.amount + excluded.amount";
pub const EARNED: &str =
    "select what, amount from seller_earned where partner = $1 and day = $2 order by what";
/// Sales of a day by who sold and how they ended.
pub const DAY: &str = "select s.staff, t.state, count(*), sum(t.gross), sum(s.reversed) from seller_sale s
    join top_up t on t.partner = s.partner and t.digest = s.digest
    where s.partner = $1 and s.day = $2 group by s.staff, t.state order by s.staff, t.state";
/// Sales of a seller, the newest first.
pub const SALES: &str =
    "select t.id, t.external_id, t.msisdn, t.operator, t.gross, t.state, t.created_at, t.updated_at,
    t.receipt, t.account, t.reason, s.staff, s.device, s.day, s.reversed
    from top_up t join seller_sale s on s.partner = t.partner and s.digest = t.digest
    where t.partner = $1 and t.id < $2 order by t.id desc limit $3";
