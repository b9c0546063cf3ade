//! For handlers' tests: an organization that fails after so many calls, as a machine that is cut off would.

use crate::{
    Account, AccountMaker, Creation, Guardrails, Layout, MemoryOrganization, Organization, Policy, SeatMover, Unit,
};
use async_trait::async_trait;
use shared::{AccountId, Fault, Names};
use std::sync::atomic::{AtomicUsize, Ordering};

/// An organization whose calls fail after the first `left`.
#[derive(Debug)]
pub struct Cut<'a> {
    inner: &'a MemoryOrganization,
    left: AtomicUsize,
}

impl<'a> Cut<'a> {
    /// Lets `calls` calls through.
    pub fn after(inner: &'a MemoryOrganization, calls: usize) -> Self {
        Self { inner, left: AtomicUsize::new(calls) }
    }

    fn pass(&self) -> Result<&MemoryOrganization, Fault> {
        let taken = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        match taken {
            Ok(_) => Ok(self.inner),
            Err(_) => Err(Fault::broken("cut off")),
        }
    }
}

macro_rules! through {
    ($port:ident { $(fn $name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)* }) => {
        #[async_trait]
        impl $port for Cut<'_> {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$answer, Fault> {
                self.pass()?.$name($($arg),*).await
            })*
        }
    };
}

through!(Organization {
    fn layout(names: &Names) -> Layout;
    fn accounts() -> Vec<Account>;
    fn accounts_in(unit: &str) -> Vec<Account>;
    fn account(id: &AccountId) -> Option<Account>;
    fn policies() -> Vec<Policy>;
    fn targets(policy: &str) -> Vec<String>;
});
through!(AccountMaker {
    fn creations() -> Vec<Creation>;
    fn ask(name: &str, email: &str, tags: &[(&str, &str)]) -> ();
});
through!(SeatMover {
    fn move_seat(account: &AccountId, from: &str, to: &str) -> ();
});
through!(Guardrails {
    fn content(policy: &str) -> String;
    fn create_unit(parent: &str, name: &str) -> Unit;
    fn delete_unit(unit: &str) -> ();
    fn create_policy(name: &str, content: &str) -> Policy;
    fn update_policy(policy: &str, content: &str) -> ();
    fn delete_policy(policy: &str) -> ();
    fn attach(policy: &str, target: &str) -> ();
    fn detach(policy: &str, target: &str) -> ();
});
