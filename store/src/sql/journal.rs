//! Statements of the journal.

/// Format of the tables below.
pub const FORMAT: i64 = 1;

pub const SCHEMA: &str = "
create table if not exists journal_format (version bigint not null primary key);
create table if not exists journal (
    partition bigint not null,
    seq bigint not null,
    batch bytea not null,
    primary key (partition, seq)
);
";

pub const FORMAT_GET: &str = "select max(version) from journal_format";
pub const FORMAT_SET: &str = "insert into journal_format (version) values ($1)";
pub const APPEND: &str = "insert into journal (partition, seq, batch) values ($1, $2, $3)";
pub const READ: &str = "select seq, batch from journal where partition = $1 and seq >= $2 order by seq";
pub const PARTITION_NEXT: &str = "select min(partition) from journal where partition > $1";
pub const PARTITION_FIRST: &str = "select min(seq) from journal where partition = $1";
pub const PARTITION_LAST: &str =
    "select seq, substr(batch, 1, 100) from journal where partition = $1 order by seq desc limit 1";
