//! The kiosk's own book: orders, notes and what happened when, in one SQLite file that is synced before anything moves.
//!
//! Every change is one transaction. What it says is never ahead of the devices in the customer's disfavour: a note is
//! written down before it is put into the box, and a sale has its reference before it is sent.

use crate::operator::Report;
use charge::catalog::Language;
use charge::{Money, Msisdn, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use std::path::Path;

/// The book cannot be read or written: nothing is sold.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// What SQLite says.
    #[error("the kiosk's book")]
    Sql(#[from] rusqlite::Error),
    /// The book is of another kind.
    #[error("the kiosk's book has format {0}, this program reads {FORMAT}")]
    Format(i64),
}

const FORMAT: i64 = 1;

const TABLES: &str = "
    create table if not exists orders (
        seq integer primary key, begun_at bigint not null, changed_at bigint not null, state text not null,
        language text not null, msisdn bigint not null, operator text not null, currency text not null,
        bundle text not null, bundle_name text not null, asked bigint not null, ceiling bigint not null,
        minimum bigint not null, card bigint not null, offline bigint not null, follows bigint not null,
        paid bigint not null, card_state text not null, auth text not null,
        receipt text not null, verify text not null, tax bigint not null, credited bigint not null, bundle_bought bigint,
        refusal bigint not null, refused text not null);
    create index if not exists orders_state on orders (state, seq);
    create table if not exists notes (
        seq bigint not null, note bigint not null, value bigint not null, state text not null, at bigint not null,
        box bigint not null default 0, primary key (seq, note));
    create index if not exists notes_state on notes (state);
    create table if not exists steps (
        id integer primary key, at bigint not null, seq bigint not null, what text not null);
    create table if not exists boxes (
        id integer primary key, at bigint not null, who text not null, notes bigint not null, value bigint not null);
    create table if not exists facts (name text primary key, value text not null);";

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Money may come in.
    Paying,
    /// The money is there; the sale is to be made, or to be asked about.
    Paid,
    /// Sold.
    Credited,
    /// Nobody paid anything.
    Empty,
    /// Paid and never to be credited: the customer gets the money back by the slip.
    Owed,
    /// A card payment that goes back.
    Reversing,
    /// It went back.
    Reversed,
    /// Somebody gave the money of the slip back.
    Repaid,
}

impl State {
    const ALL: [State; 8] = [
        State::Paying,
        State::Paid,
        State::Credited,
        State::Empty,
        State::Owed,
        State::Reversing,
        State::Reversed,
        State::Repaid,
    ];

    /// Its name in the book.
    pub fn name(self) -> &'static str {
        match self {
            State::Paying => "paying",
            State::Paid => "paid",
            State::Credited => "credited",
            State::Empty => "empty",
            State::Owed => "owed",
            State::Reversing => "reversing",
            State::Reversed => "reversed",
            State::Repaid => "repaid",
        }
    }

    fn from_name(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.name() == name)
    }

    /// True when nothing will change by itself any more.
    pub fn is_final(self) -> bool {
        !matches!(self, State::Paying | State::Paid | State::Reversing)
    }
}

/// Where a note is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteState {
    /// It was in escrow, and the acceptor was told to put it into the box.
    Stacking,
    /// In the box.
    Stacked,
    /// Given back.
    Returned,
    /// Nobody can say before somebody opens the acceptor.
    Unclear,
}

impl NoteState {
    fn name(self) -> &'static str {
        match self {
            NoteState::Stacking => "stacking",
            NoteState::Stacked => "stacked",
            NoteState::Returned => "returned",
            NoteState::Unclear => "unclear",
        }
    }

    fn from_name(name: &str) -> Option<NoteState> {
        let all = [
            NoteState::Stacking,
            NoteState::Stacked,
            NoteState::Returned,
            NoteState::Unclear,
        ];
        all.into_iter().find(|state| state.name() == name)
    }
}

/// A note of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// The order; 0: none, the acceptor took it by itself.
    pub seq: u64,
    /// The acceptor's number.
    pub note: u64,
    /// Its value.
    pub value: Money,
    /// Where it is.
    pub state: NoteState,
}

/// An order: one customer, one number, one payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its number at this kiosk: 0 before it is in the book.
    pub seq: u64,
    /// Begun.
    pub begun_at: Timestamp,
    /// Last change.
    pub changed_at: Timestamp,
    /// How far it is.
    pub state: State,
    /// Language of the customer.
    pub language: Language,
    /// The number to recharge.
    pub number: Msisdn,
    /// Code of its operator.
    pub operator: String,
    /// ISO 4217.
    pub currency: String,
    /// Code of the bundle; empty: an amount.
    pub bundle: String,
    /// Its name for people.
    pub bundle_name: String,
    /// What is to be paid; zero: as much as is put in.
    pub asked: Money,
    /// Most that may be put in.
    pub ceiling: Money,
    /// Smallest recharge: less is owed back.
    pub minimum: Money,
    /// By card.
    pub card: bool,
    /// Begun without a line.
    pub offline: bool,
    /// A note of this order turned up late; 0: of none.
    pub follows: u64,
    /// What is in the box or approved.
    pub paid: Money,
    /// What the terminal said last; empty: nothing.
    pub card_state: String,
    /// Its approval code.
    pub auth: String,
    /// Number of the receipt.
    pub receipt: String,
    /// Address that checks the receipt, for its QR code.
    pub verify: String,
    /// Tax.
    pub tax: Money,
    /// What the balance got.
    pub credited: Money,
    /// The bundle was bought.
    pub bundle_bought: Option<bool>,
    /// Stable code of the server's no; 0: none.
    pub refusal: u32,
    /// Its name.
    pub refused: String,
}

impl Order {
    /// The reference of the sale, and of the card payment.
    pub fn reference(&self, kiosk: &str) -> String {
        format!("{kiosk}-{}", self.seq)
    }

    /// What may still be put in.
    pub fn room(&self) -> Money {
        let most = if self.asked.is_positive() {
            self.asked
        } else {
            self.ceiling
        };
        most - self.paid
    }
}

/// What the box holds and what was done with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CashBook {
    /// Notes in the box since it was emptied: value and how many.
    pub notes: Vec<(Money, u64)>,
    /// Their sum.
    pub in_box: Money,
    /// Every note that ever went into the box.
    pub taken: Money,
    /// Cash that was credited.
    pub credited: Money,
    /// Cash that waits for its credit.
    pub waiting: Money,
    /// Cash that customers get back.
    pub owed: Money,
    /// Cash that they got back.
    pub repaid: Money,
    /// Cash of orders that are still being paid.
    pub open: Money,
    /// Cash that belongs to no order.
    pub stray: Money,
}

impl CashBook {
    /// Every note is accounted for.
    pub fn balances(&self) -> bool {
        self.taken == self.credited + self.waiting + self.owed + self.repaid + self.open + self.stray
    }
}

/// The book.
pub struct Book {
    connection: Connection,
}

impl Book {
    /// Opens or makes it.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn open(path: &Path) -> Result<Book, BookError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.execute_batch("pragma journal_mode = wal; pragma synchronous = full;")?;
        connection.execute_batch(TABLES)?;
        let book = Book { connection };
        match book.fact("format")?.map(|text| text.parse().unwrap_or(0)) {
            None => book.set_fact("format", &FORMAT.to_string())?,
            Some(FORMAT) => {}
            Some(other) => return Err(BookError::Format(other)),
        }
        Ok(book)
    }

    /// One change: all of it or nothing.
    ///
    /// # Errors
    /// [`BookError`]; nothing has changed.
    pub fn change<T>(
        &mut self,
        change: impl FnOnce(&Page<'_>) -> Result<T, BookError>,
    ) -> Result<T, BookError> {
        let page = Page {
            transaction: self.connection.transaction()?,
        };
        let value = change(&page)?;
        page.transaction.commit()?;
        Ok(value)
    }

    /// An order.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn order(&self, seq: u64) -> Result<Option<Order>, BookError> {
        find(&self.connection, seq)
    }

    /// The last order that was begun.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn last(&self) -> Result<Option<Order>, BookError> {
        let seq: Option<i64> = self
            .connection
            .query_row("select max(seq) from orders", [], |row| row.get(0))?;
        seq.map_or(Ok(None), |seq| self.order(u64::try_from(seq).unwrap_or(0)))
    }

    /// Orders in a state, oldest first.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn in_state(&self, state: State) -> Result<Vec<Order>, BookError> {
        let sql = format!("select {COLUMNS} from orders where state = ?1 order by seq limit ?2");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![state.name(), int(crate::limits::QUEUE_MAX * 2)], order_of)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What those who answer for this kiosk are told.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn report(&self) -> Result<Report, BookError> {
        let cash = self.cash()?;
        Ok(Report {
            in_box: cash.in_box,
            waiting: cash.waiting,
            owed: cash.owed,
            stuck: self.open_notes()?.iter().map(|note| note.value).sum(),
        })
    }

    /// Notes that are neither in the box nor given back.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn open_notes(&self) -> Result<Vec<Note>, BookError> {
        let sql = "select seq, note, value, state from notes where state in ('stacking', 'unclear') order by at, note";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], note_of)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The notes of an order.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn notes(&self, seq: u64) -> Result<Vec<Note>, BookError> {
        let sql = "select seq, note, value, state from notes where seq = ?1 order by note";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([int(seq)], note_of)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The highest number of a note that the acceptor showed.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn knows_note(&self, note: u64, value: Money) -> Result<Option<Note>, BookError> {
        let sql = "select seq, note, value, state from notes where note = ?1 and value = ?2 order by at desc limit 1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement
            .query_row(params![int(note), value.0], note_of)
            .optional()?)
    }

    /// Money that has been or may yet be paid and is not sold: it stands against the float.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn pledged(&self) -> Result<Money, BookError> {
        let sql = "select coalesce(sum(case when state = 'paid' then paid when asked > 0 then asked else ceiling end), 0) \
                   from orders where state in ('paid', 'paying')";
        Ok(Money(self.connection.query_row(sql, [], |row| row.get(0))?))
    }

    /// How many orders wait for their credit, and how much it is.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn waiting(&self) -> Result<(u64, Money), BookError> {
        let sql = "select count(*), coalesce(sum(paid), 0) from orders where state = 'paid'";
        let row = self
            .connection
            .query_row(sql, [], |row| Ok((count(row, 0)?, Money(row.get(1)?))))?;
        Ok(row)
    }

    /// What is known under a name.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn fact(&self, name: &str) -> Result<Option<String>, BookError> {
        let sql = "select value from facts where name = ?1";
        Ok(self
            .connection
            .query_row(sql, [name], |row| row.get(0))
            .optional()?)
    }

    /// Remembers something.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn set_fact(&self, name: &str, value: &str) -> Result<(), BookError> {
        let sql =
            "insert into facts (name, value) values (?1, ?2) on conflict (name) do update set value = ?2";
        self.connection.execute(sql, [name, value])?;
        Ok(())
    }

    /// What the box holds, and whether every note is accounted for.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn cash(&self) -> Result<CashBook, BookError> {
        let mut cash = CashBook::default();
        let sql = "select value, count(*) from notes where state = 'stacked' and box = 0 group by value order by value";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| Ok((Money(row.get(0)?), count(row, 1)?)))?;
        for row in rows {
            let (value, many) = row?;
            cash.in_box += Money(value.0.saturating_mul(int(many)));
            cash.notes.push((value, many));
        }
        let sql = "select n.seq, coalesce(o.state, ''), sum(n.value) from notes n left join orders o on o.seq = n.seq \
                   where n.state = 'stacked' group by n.seq, o.state";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(1)?, Money(row.get(2)?))))?;
        for row in rows {
            let (state, value) = row?;
            cash.taken += value;
            let account = match State::from_name(&state) {
                Some(State::Credited) => &mut cash.credited,
                Some(State::Paid) => &mut cash.waiting,
                Some(State::Owed) => &mut cash.owed,
                Some(State::Repaid) => &mut cash.repaid,
                Some(State::Paying) => &mut cash.open,
                _ => &mut cash.stray,
            };
            *account += value;
        }
        Ok(cash)
    }

    /// What happened to an order, oldest first.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn steps(&self, seq: u64) -> Result<Vec<(Timestamp, String)>, BookError> {
        let mut statement = self
            .connection
            .prepare_cached("select at, what from steps where seq = ?1 order by id")?;
        let rows = statement.query_map([int(seq)], |row| Ok((Timestamp(row.get(0)?), row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Somebody took the notes out of the box: how many, and how much.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn empty_box(&mut self, who: &str, now: Timestamp) -> Result<CashBook, BookError> {
        let cash = self.cash()?;
        let notes: u64 = cash.notes.iter().map(|(_, count)| count).sum();
        self.change(|page| {
            page.transaction.execute(
                "insert into boxes (at, who, notes, value) values (?1, ?2, ?3, ?4)",
                params![now.0, who, int(notes), cash.in_box.0],
            )?;
            let emptied = page.transaction.last_insert_rowid();
            let sql = "update notes set box = ?1 where state = 'stacked' and box = 0";
            page.transaction.execute(sql, [emptied])?;
            page.step(0, now, &format!("box emptied by {who}: {}", cash.in_box.exact()))
        })?;
        Ok(cash)
    }
}

/// A change in the making.
pub struct Page<'a> {
    transaction: Transaction<'a>,
}

impl Page<'_> {
    /// Adds an order; gives its number.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn begin(&self, order: &Order) -> Result<u64, BookError> {
        let sql = "select coalesce(max(seq), 0) + 1 from orders";
        let seq = self.transaction.query_row(sql, [], |row| count(row, 0))?;
        let sql = format!("insert into orders ({COLUMNS}) values ({PLACES})");
        let order = Order { seq, ..order.clone() };
        self.transaction
            .prepare_cached(&sql)?
            .execute(rusqlite::params_from_iter(values(&order)))?;
        self.step(seq, order.begun_at, order.state.name())?;
        Ok(seq)
    }

    /// An order.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn order(&self, seq: u64) -> Result<Option<Order>, BookError> {
        find(&self.transaction, seq)
    }

    /// Writes an order anew, with what happened.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn put(&self, order: &Order, now: Timestamp, what: &str) -> Result<(), BookError> {
        let order = Order {
            changed_at: now,
            ..order.clone()
        };
        let sql = format!("insert or replace into orders ({COLUMNS}) values ({PLACES})");
        self.transaction
            .prepare_cached(&sql)?
            .execute(rusqlite::params_from_iter(values(&order)))?;
        self.step(order.seq, now, what)
    }

    /// Writes where a note is.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn note(&self, note: &Note, now: Timestamp) -> Result<(), BookError> {
        self.transaction
            .prepare_cached(
                "insert or replace into notes (seq, note, value, state, at) values (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                int(note.seq),
                int(note.note),
                note.value.0,
                note.state.name(),
                now.0
            ])?;
        let what = format!(
            "note {} of {} {}",
            note.note,
            note.value.exact(),
            note.state.name()
        );
        self.step(note.seq, now, &what)
    }

    /// A note of an order that is neither in the box nor given back.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn open_note(&self, seq: u64, note: u64) -> Result<Option<Note>, BookError> {
        let sql = "select seq, note, value, state from notes where seq = ?1 and note = ?2 and state in ('stacking', 'unclear')";
        let mut statement = self.transaction.prepare_cached(sql)?;
        Ok(statement
            .query_row(params![int(seq), int(note)], note_of)
            .optional()?)
    }

    /// A late note belongs to another order from now on.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn move_note(&self, note: &Note, to: u64) -> Result<(), BookError> {
        self.transaction
            .prepare_cached("update notes set seq = ?1 where seq = ?2 and note = ?3")?
            .execute(params![int(to), int(note.seq), int(note.note)])?;
        Ok(())
    }

    fn step(&self, seq: u64, now: Timestamp, what: &str) -> Result<(), BookError> {
        self.transaction
            .prepare_cached("insert into steps (at, seq, what) values (?1, ?2, ?3)")?
            .execute(params![now.0, int(seq), what])?;
        Ok(())
    }
}

const COLUMNS: &str = "seq, begun_at, changed_at, state, language, msisdn, operator, currency, bundle, bundle_name, asked, \
    ceiling, minimum, card, offline, follows, paid, card_state, auth, receipt, verify, tax, credited, bundle_bought, refusal, refused";
const PLACES: &str = "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, \
    ?23, ?24, ?25, ?26";

fn find(connection: &Connection, seq: u64) -> Result<Option<Order>, BookError> {
    let sql = format!("select {COLUMNS} from orders where seq = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row([int(seq)], order_of).optional()?)
}

fn values(order: &Order) -> [Box<dyn rusqlite::ToSql>; 26] {
    let text = |text: &str| -> Box<dyn rusqlite::ToSql> { Box::new(text.to_owned()) };
    let whole = |number: i64| -> Box<dyn rusqlite::ToSql> { Box::new(number) };
    [
        whole(int(order.seq)),
        whole(order.begun_at.0),
        whole(order.changed_at.0),
        text(order.state.name()),
        text(order.language.tag()),
        whole(int(order.number.number())),
        text(&order.operator),
        text(&order.currency),
        text(&order.bundle),
        text(&order.bundle_name),
        whole(order.asked.0),
        whole(order.ceiling.0),
        whole(order.minimum.0),
        whole(i64::from(order.card)),
        whole(i64::from(order.offline)),
        whole(int(order.follows)),
        whole(order.paid.0),
        text(&order.card_state),
        text(&order.auth),
        text(&order.receipt),
        text(&order.verify),
        whole(order.tax.0),
        whole(order.credited.0),
        Box::new(order.bundle_bought.map(i64::from)),
        whole(i64::from(order.refusal)),
        text(&order.refused),
    ]
}

fn order_of(row: &Row<'_>) -> rusqlite::Result<Order> {
    let state: String = row.get(3)?;
    let language: String = row.get(4)?;
    Ok(Order {
        seq: count(row, 0)?,
        begun_at: Timestamp(row.get(1)?),
        changed_at: Timestamp(row.get(2)?),
        state: State::from_name(&state).ok_or_else(|| unreadable(3))?,
        language: Language::from_tag(&language).unwrap_or_default(),
        number: Msisdn::new(count(row, 5)?).map_err(|_| unreadable(5))?,
        operator: row.get(6)?,
        currency: row.get(7)?,
        bundle: row.get(8)?,
        bundle_name: row.get(9)?,
        asked: Money(row.get(10)?),
        ceiling: Money(row.get(11)?),
        minimum: Money(row.get(12)?),
        card: row.get::<_, i64>(13)? != 0,
        offline: row.get::<_, i64>(14)? != 0,
        follows: count(row, 15)?,
        paid: Money(row.get(16)?),
        card_state: row.get(17)?,
        auth: row.get(18)?,
        receipt: row.get(19)?,
        verify: row.get(20)?,
        tax: Money(row.get(21)?),
        credited: Money(row.get(22)?),
        bundle_bought: row.get::<_, Option<i64>>(23)?.map(|bought| bought != 0),
        refusal: row.get(24)?,
        refused: row.get(25)?,
    })
}

fn note_of(row: &Row<'_>) -> rusqlite::Result<Note> {
    let state: String = row.get(3)?;
    Ok(Note {
        seq: count(row, 0)?,
        note: count(row, 1)?,
        value: Money(row.get(2)?),
        state: NoteState::from_name(&state).ok_or_else(|| unreadable(3))?,
    })
}

/// SQLite has signed integers only.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| unreadable(column))
}

fn unreadable(column: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, "value".to_owned(), rusqlite::types::Type::Text)
}
