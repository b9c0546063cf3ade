//! Operations that the emulators lack, and answers of theirs that AWS would not give.

pub mod costs;
pub mod identity_center;
pub mod notebooks;
pub mod object_lock;
