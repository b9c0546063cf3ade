//! For handlers' tests: an organization that fails after so many calls, as a machine that is cut off would; or one that does
//! the last call, and loses its answer.

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
    loses: bool,
}

impl<'a> Cut<'a> {
    /// Lets `calls` calls through.
    pub fn after(inner: &'a MemoryOrganization, calls: usize) -> Self {
        Self { inner, left: AtomicUsize::new(calls), loses: false }
    }

    /// Both ways to fail at the same call: before it is done, and after it, with the answer lost.
    pub fn both(inner: [&'a MemoryOrganization; 2], calls: usize) -> [Self; 2] {
        let [cut, lost] = inner;
        [Self::after(cut, calls), Self { inner: lost, left: AtomicUsize::new(calls + 1), loses: true }]
    }

    /// The organization, and whether the answer of this call gets lost.
    fn pass(&self) -> Result<(&MemoryOrganization, bool), Fault> {
        let taken = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        match taken {
            Ok(left) => Ok((self.inner, self.loses && left == 1)),
            Err(_) => Err(Fault::broken("cut off")),
        }
    }
}

macro_rules! through {
    ($port:ident { $(fn $name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)* }) => {
        #[async_trait]
        impl $port for Cut<'_> {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$answer, Fault> {
                let (inner, lost) = self.pass()?;
                let answer = inner.$name($($arg),*).await;
                if lost { Err(Fault::broken("the answer got lost")) } else { answer }
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
