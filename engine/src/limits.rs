//! Every limit and interval of the engine.

/// Messages that may be on their way between two partitions before the receiver confirms any.
pub const MESSAGE_WINDOW: u64 = 4096;
/// Ticks in a row that one account may need before it is left alone for [`TICK_PAUSE_US`].
pub const TICKS_IN_A_ROW_MAX: usize = 64;
/// How long an account that does not settle is left alone, microseconds.
pub const TICK_PAUSE_US: i64 = 60 * 1_000_000;
/// Batches of one partition that may wait to become durable.
pub const BATCHES_IN_FLIGHT_MAX: usize = 4;
/// Longest encoded entity in a snapshot, bytes: a larger one is a defect.
pub const ENTITY_BYTES_MAX: usize = 4 << 20;
/// Bytes of journal read at a time.
pub const JOURNAL_READ_BYTES: usize = 4 << 20;
/// Rows of snapshots scanned at a time.
pub const SCAN_ROWS: usize = 1024;
/// Due times in snapshots are rounded down to multiples of so many microseconds (about a minute): an open session's due
/// time changes with each report, and its place in the index of due times need not. Who is due is loaded that much early.
pub const DUE_GRAIN_US: i64 = 1 << 26;
/// Entities are let go, and snapshots hurry, from so many hundredths of [`Settings::cache_bytes_max`] on: the rest is for
/// what changes faster than the snapshots can take it.
pub const ROOM_PERCENT: usize = 75;
/// How long a command waits for room in memory before it is turned away, microseconds.
pub const ROOM_WAIT_US: i64 = 2_000_000;
/// Most partitions that a data directory can have.
pub const PARTITIONS_MAX: u16 = 1024;
/// Slots looked at for one eviction round: bounds the time that eviction takes from the charges.
pub const EVICTION_STEPS_MAX: usize = 4096;

/// Limits and intervals that an operator of the system may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Partitions, the directory's included. Fixed when the data directory is made.
    pub partitions: u16,
    /// Threads that own partitions.
    pub threads: usize,
    /// Commands that may wait for one thread; more are answered "too busy".
    pub inbox_commands_max: usize,
    /// Commands taken between two looks at the disk's progress.
    pub commands_per_turn: usize,
    /// A batch of this size waits to be written before more is decided, bytes.
    pub batch_bytes_max: usize,
    /// Memory for entities, all partitions together, bytes; when it is full of what the snapshots do not have yet, commands
    /// for other entities wait, and after a while they are turned away.
    pub cache_bytes_max: usize,
    /// Entries of the directory's cache (32 bytes each).
    pub directory_entries: usize,
    /// Messages to other partitions that one partition may hold; beyond, new commands are answered "too busy".
    pub outgoing_messages_max: usize,
    /// Unapplied journal tail held in memory after a restart, all partitions together, bytes.
    pub tail_bytes_max: usize,
    /// Time in which every changed entity is written to the snapshots once, microseconds.
    pub snapshot_interval_us: i64,
    /// Entities collected at a time for the snapshots; charges of the partition wait meanwhile.
    pub snapshot_chunk_rows: usize,
    /// How long the last snapshot round may take when the engine stops, microseconds: what it leaves is replayed.
    pub snapshot_at_stop_us: i64,
    /// How often the snapshots are asked what is due, microseconds.
    pub sweep_interval_us: i64,
    /// Most entities taken from one such answer.
    pub sweep_rows_max: usize,
    /// Due entities handled between two looks at commands.
    pub ticks_per_turn_max: usize,
    /// Messages that nobody confirmed for so long are sent again, microseconds.
    pub resend_after_us: i64,
    /// After a failed append, how long commands are turned away at once, microseconds.
    pub retry_after_failure_us: i64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            partitions: 9,
            threads: 2,
            inbox_commands_max: 32 << 10,
            commands_per_turn: 128,
            batch_bytes_max: 1 << 20,
            cache_bytes_max: 512 << 20,
            directory_entries: 1 << 21,
            outgoing_messages_max: 64 << 10,
            tail_bytes_max: 256 << 20,
            snapshot_interval_us: 60 * 1_000_000,
            snapshot_chunk_rows: 256,
            snapshot_at_stop_us: 5 * 1_000_000,
            sweep_interval_us: 1_000_000,
            sweep_rows_max: 256,
            ticks_per_turn_max: 256,
            resend_after_us: 1_000_000,
            retry_after_failure_us: 250_000,
        }
    }
}

impl Settings {
    /// Small numbers, so that tests reach every limit soon.
    pub fn for_tests(partitions: u16) -> Settings {
        Settings {
            partitions,
            threads: 1,
            snapshot_interval_us: 200_000,
            snapshot_chunk_rows: 16,
            directory_entries: 1 << 10,
            resend_after_us: 100_000,
            retry_after_failure_us: 1_000,
            ..Settings::default()
        }
    }

    /// One partition's share of the memory for entities.
    pub(crate) fn cache_bytes_of_one(&self) -> usize {
        self.cache_bytes_max / usize::from(self.partitions.max(1))
    }

    /// One partition's share of the unapplied tail.
    pub(crate) fn tail_bytes_of_one(&self) -> usize {
        self.tail_bytes_max / usize::from(self.partitions.max(1))
    }
}
