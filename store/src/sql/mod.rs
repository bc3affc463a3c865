//! The statements, in the subset that SQLite, PostgreSQL and the engines that speak its protocol share.
//!
//! Parameters are `$1`, `$2`, each written once per statement where SQLite is concerned; types are `bigint`, `text` and
//! `bytea`. What only SQLite wants stands in `/*sqlite ...*/` comments, which other engines skip.

pub mod callbacks;
pub mod chain;
pub mod floats;
pub mod journal;
pub mod letters;
pub mod outbox;
pub mod payments;
pub mod reads;
pub mod snapshots;

/// Turns a shared statement into SQLite's dialect: SQLite numbers `$2` by first appearance, so `$n` becomes `?n`.
pub fn sqlite(statement: &str) -> String {
    statement
        .replace('$', "?")
        .replace("bytea", "blob")
        .replace("/*sqlite ", "")
        .replace("*/", "")
}

#[cfg(test)]
mod tests {
    #[test]
    fn parameters_are_numbered_and_not_ordered() {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        let sql = super::sqlite("select $2 - $1");
        assert_eq!(sql, "select ?2 - ?1");
        let difference: i64 = db.query_row(&sql, [1, 10], |row| row.get(0)).unwrap();
        assert_eq!(difference, 9);
        assert_eq!(
            super::sqlite("a bytea) /*sqlite without rowid*/;"),
            "a blob) without rowid;"
        );
    }
}
