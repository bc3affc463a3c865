//! Properties of random histories.
