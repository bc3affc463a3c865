//! Numbers and SIMs to accounts: a bounded concurrent cache over the directory entities of partition 0.
//!
//! Only the owner of partition 0 writes: it adds what it has read durably and forgets what has changed before anybody is told.
//! A set-associative table, so that memory is fixed and nothing is allocated per entry.

use charge::partner::NumberRecord;
use charge::{AccountId, EntityKey, OperatorId};
use parking_lot::Mutex;

const WAYS: usize = 4;
const SHARDS: usize = 64;

/// The cache. Unknown numbers are remembered too, so that a flood of them does not reach the owner.
#[derive(Debug)]
pub struct Directory {
    shards: Vec<Mutex<Vec<Set>>>,
    sets_per_shard: usize,
}

/// What the cache knows about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The entry.
    Found(NumberRecord),
    /// There is no entry.
    Absent,
    /// Ask the owner: [`crate::Engine::resolve`].
    NotCached,
}

type Set = [Way; WAYS];

#[derive(Clone, Copy, Debug, Default)]
struct Way {
    /// Packed key; 0 is an empty way.
    key: u64,
    account: u64,
    version: u64,
    operator: u16,
    has_account: bool,
    absent: bool,
    /// Used since the last replacement in its set.
    used: bool,
}

impl Directory {
    /// A cache of about `entries` entries.
    pub fn new(entries: usize) -> Directory {
        let sets_per_shard = (entries / WAYS / SHARDS).max(1).next_power_of_two();
        let shard = || Mutex::new(Vec::new());
        Directory {
            shards: std::iter::repeat_with(shard).take(SHARDS).collect(),
            sets_per_shard,
        }
    }

    /// Looks a number or SIM up without asking anybody.
    pub fn get(&self, key: EntityKey) -> Lookup {
        let Some(packed) = pack(key) else {
            return Lookup::NotCached;
        };
        let (shard, set) = self.place(packed);
        let mut shard = self.shards[shard].lock();
        let Some(way) = shard
            .get_mut(set)
            .and_then(|set| set.iter_mut().find(|way| way.key == packed))
        else {
            return Lookup::NotCached;
        };
        way.used = true;
        if way.absent {
            return Lookup::Absent;
        }
        Lookup::Found(NumberRecord {
            operator: OperatorId(way.operator),
            account: way.has_account.then_some(AccountId(way.account)),
            version: way.version,
        })
    }

    /// Remembers what the owner read.
    pub(crate) fn put(&self, key: EntityKey, record: Option<NumberRecord>) {
        let Some(packed) = pack(key) else { return };
        let (shard, set) = self.place(packed);
        let mut shard = self.shards[shard].lock();
        if shard.is_empty() {
            shard.resize(self.sets_per_shard, Set::default());
        }
        let set = &mut shard[set];
        let found = set.iter().position(|way| way.key == packed);
        let place = found.or_else(|| set.iter().position(|way| way.key == 0));
        let place = place
            .or_else(|| set.iter().position(|way| !way.used))
            .unwrap_or_else(|| {
                set.iter_mut().for_each(|way| way.used = false);
                (packed % WAYS as u64) as usize
            });
        let account = record.and_then(|record| record.account);
        set[place] = Way {
            key: packed,
            account: account.map_or(0, |account| account.0),
            version: record.map_or(0, |record| record.version),
            operator: record.map_or(0, |record| record.operator.0),
            has_account: account.is_some(),
            absent: record.is_none(),
            used: true,
        };
    }

    /// Forgets a key that has changed.
    pub(crate) fn forget(&self, key: EntityKey) {
        let Some(packed) = pack(key) else { return };
        let (shard, set) = self.place(packed);
        let mut shard = self.shards[shard].lock();
        if let Some(set) = shard.get_mut(set) {
            for way in set.iter_mut().filter(|way| way.key == packed) {
                *way = Way::default();
            }
        }
    }

    fn place(&self, packed: u64) -> (usize, usize) {
        let mixed = packed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = mixed ^ (mixed >> 32);
        let shard = (mixed as usize) % SHARDS;
        let set = (mixed as usize / SHARDS) & (self.sets_per_shard - 1);
        (shard, set)
    }
}

/// One number for both kinds of key: an IMSI has its length in the top byte, an E.164 number stays below 10^15.
fn pack(key: EntityKey) -> Option<u64> {
    match key {
        EntityKey::Number(number) => Some(number.number()),
        EntityKey::Imsi(imsi) => Some(imsi.packed()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use charge::{Imsi, Msisdn};

    fn number(n: u64) -> EntityKey {
        EntityKey::Number(Msisdn::new(923_000_000_000 + n).unwrap())
    }

    fn record(account: u64) -> NumberRecord {
        NumberRecord {
            operator: OperatorId(1),
            account: Some(AccountId(account)),
            version: 3,
        }
    }

    #[test]
    fn remembers_forgets_and_stays_bounded() {
        let directory = Directory::new(1024);
        let imsi = EntityKey::Imsi(Imsi::parse("410010000000001").unwrap());
        assert_eq!(directory.get(number(1)), Lookup::NotCached);
        directory.put(number(1), Some(record(7)));
        directory.put(imsi, Some(record(7)));
        directory.put(number(2), None);
        assert_eq!(directory.get(number(1)), Lookup::Found(record(7)));
        assert_eq!(directory.get(imsi), Lookup::Found(record(7)));
        assert_eq!(directory.get(number(2)), Lookup::Absent);
        directory.forget(number(1));
        assert_eq!(directory.get(number(1)), Lookup::NotCached);
        for n in 0..100_000 {
            directory.put(number(n), Some(record(n)));
        }
        let held = (0..100_000)
            .filter(|n| directory.get(number(*n)) != Lookup::NotCached)
            .count();
        assert!((512..=1024).contains(&held), "{held}");
        for n in 0..100_000 {
            if let Lookup::Found(found) = directory.get(number(n)) {
                assert_eq!(found, record(n));
            }
        }
    }
}
