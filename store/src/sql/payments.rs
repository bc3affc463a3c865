//! Statements about payments: what the payment desk, staff and the payer's pages ask.

pub const SCHEMA: &str = "
create table if not exists payment (
    id bytea not null primary key,
    account bigint,
    connector text,
    msisdn bigint not null,
    operator bigint not null,
    rail text not null,
    gross bigint not null,
    price bigint not null,
    currency text not null,
    offer text not null,
    payer bytea not null,
    state bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    expires_at bigint not null,
    paid_at bigint,
    gross_paid bigint not null,
    failure bigint,
    code text not null,
    presented text not null,
    reference text not null,
    receipt bigint,
    refund_reason bigint,
    refund_gross bigint,
    refund_price bigint,
    refund_reference text,
    fault bigint not null,
    faulted_at bigint,
    delivered text,
    cancelled bigint not null
) /*sqlite without rowid*/;
create index if not exists payment_state on payment (state, created_at, id);
create index if not exists payment_account on payment (account, created_at);
drop index if exists payment_payer;
create index if not exists payment_rail on payment (rail, created_at);
create index if not exists payment_undelivered on payment (state, created_at, id)
    where connector is not null and delivered is null;
drop index if exists payment_fault;
";

pub const PUT: &str = "insert into payment (id, account, connector, msisdn, operator, rail, gross, price, currency, offer,
    payer, state, created_at, updated_at, expires_at, gross_paid, code, presented, reference, fault, cancelled)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14, 0, '', '', '', 0, 0)";

/// Every column that an event may change; null leaves it as it is.
pub const UPDATE: &str = "update payment set
    updated_at = $2,
    state = coalesce($3, state),
    failure = coalesce($4, failure),
    code = coalesce($5, code),
    presented = coalesce($6, presented),
    reference = coalesce($7, reference),
    paid_at = coalesce($8, paid_at),
    gross_paid = coalesce($9, gross_paid),
    receipt = coalesce($10, receipt),
    refund_reason = coalesce($11, refund_reason),
    refund_gross = coalesce($12, refund_gross),
    refund_price = coalesce($13, refund_price),
    refund_reference = coalesce($14, refund_reference),
    fault = coalesce($15, fault),
    faulted_at = coalesce($16, faulted_at),
    delivered = coalesce($17, delivered),
    cancelled = coalesce($18, cancelled)
    where id = $1";

const SELECT: &str = "select id, account, connector, msisdn, operator, rail, gross, price, currency, offer, payer, state,
    created_at, updated_at, expires_at, paid_at, gross_paid, failure, code, presented, reference, receipt, refund_reason,
    refund_gross, refund_price, refund_reference, fault, faulted_at, delivered, cancelled from payment";

/// The payment queries.
pub fn payment(by: &str) -> String {
    format!("{SELECT} where {by}")
}
