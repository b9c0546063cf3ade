//! What AWS takes its time for and the emulators do at once: work that is under way, and lists that lag behind it.

pub mod asynchrony;
pub mod durations;
pub mod lists;
