//! Who calls, and what that caller may: sessions, trusts, identity policies, boundaries, session policies, service control
//! policies. The emulators let everybody do everything.

pub mod caller;
pub mod guardrails;
pub mod policies;
pub mod resources;
pub mod roles;
pub mod sessions;
