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
    }

    /// `/metrics` asks every few seconds, while others wait for the file.
    #[test]
    fn a_backlog_is_counted_without_walking_what_is_done() {
        for (schema, question) in [
            (super::outbox::SCHEMA, super::outbox::BACKLOG),
            (super::letters::SCHEMA, super::letters::BACKLOG),
            (super::callbacks::SCHEMA, super::callbacks::BACKLOG),
        ] {
            let db = rusqlite::Connection::open_in_memory().unwrap();
            db.execute_batch(&super::sqlite(schema)).unwrap();
            let mut plan = db.prepare(&format!("explain query plan {question}")).unwrap();
            let steps: Vec<String> = plan
                .query_map([], |row| row.get(3))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            let reads: Vec<&String> = steps.iter().filter(|step| step.starts_with("SCAN ")).collect();
            assert_eq!(
                reads
                    .iter()
                    .filter(|step| step.contains("COVERING INDEX"))
                    .count(),
                2,
                "{steps:?}"
            );
            assert!(
                reads
                    .iter()
                    .all(|step| step.contains("COVERING INDEX") || step.contains("CONSTANT")),
                "{steps:?}"
            );
        }
    }

    #[test]
    fn what_only_sqlite_wants_is_uncovered() {
        assert_eq!(
            super::sqlite("a bytea) /*sqlite without rowid*/;"),
            "a blob) without rowid;"
        );
    }
}
