//! Partitions, batching, timers and cross-partition messages; sans-I/O, with a thread runtime around it.
