//! Reads catalog files.
