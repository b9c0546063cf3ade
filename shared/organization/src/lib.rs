//! AWS Organizations in Koza's words: a reading port, writing ports, their AWS adapter and an in-memory twin.
//!
//! Lists grow with pages and never with accounts: where an account is comes from listing our OUs, not from asking each.

mod aws;
mod memory;
pub mod testing;

pub use aws::{OrganizationsReader, OrganizationsWriter};
pub use memory::MemoryOrganization;

use async_trait::async_trait;
use shared::names::{State, UNITS};
use shared::{AccountId, CourseId, Fault, Names, Seat};
use std::collections::BTreeMap;

/// A member account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its name; a seat's is the seat's.
    pub name: String,
    /// Root e-mail.
    pub email: String,
    /// The OU or root that it is in; empty where it was not asked for.
    pub unit: String,
    /// Neither suspended nor closed.
    pub active: bool,
}

/// An organizational unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Id of the OU or root above it.
    pub parent: String,
}

/// A service control policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// The pool's OUs as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The organization's root.
    pub root: String,
    /// The pool's own OU.
    pub pool: Option<Unit>,
    /// The OUs directly below it, by name ([`UNITS`]).
    pub units: BTreeMap<String, Unit>,
    /// The courses' OUs below Active.
    pub courses: BTreeMap<CourseId, Unit>,
}

impl Layout {
    /// The state that being in a unit means.
    pub fn state_of(&self, unit: &str) -> State {
        if let Some((course, _)) = self.courses.iter().find(|(_, u)| u.id == unit) {
            return State::Active(course.clone());
        }
        let name = self.units.values().find(|u| u.id == unit).map(|u| u.name.as_str());
        match name {
            Some("Preparing") => State::Preparing,
            Some("Available") => State::Available,
            Some("Sweeping") => State::Sweeping,
            Some("Quarantine") => State::Quarantine,
            Some("Trial") => State::Trial,
            _ => State::Outside,
        }
    }

    /// The unit of a state.
    pub fn unit_of(&self, state: &State) -> Option<&Unit> {
        match state {
            State::Active(course) => self.courses.get(course),
            State::Outside => None,
            other => self.units.get(&other.to_string()),
        }
    }

    /// The unit of a state, or what to do when there is none.
    pub fn need(&self, state: &State) -> Result<&Unit, Fault> {
        self.unit_of(state)
            .ok_or_else(|| Fault::conflict(format!("there is no organizational unit {state}: has pool-fill been run?")))
    }

    /// The units below the pool that can hold seats.
    fn holding(&self) -> impl Iterator<Item = &Unit> {
        self.units.values().chain(self.courses.values())
    }
}

/// Reading. Role `organization-reader`.
#[async_trait]
pub trait Organization: Send + Sync {
    /// The pool's OUs.
    async fn layout(&self, names: &Names) -> Result<Layout, Fault>;
    /// Every account, without its unit.
    async fn accounts(&self) -> Result<Vec<Account>, Fault>;
    /// The accounts directly in an OU or root.
    async fn accounts_in(&self, unit: &str) -> Result<Vec<Account>, Fault>;
    /// One account with its unit, or `None` if it is not in the organization.
    async fn account(&self, id: &AccountId) -> Result<Option<Account>, Fault>;
    /// All service control policies.
    async fn policies(&self) -> Result<Vec<Policy>, Fault>;
    /// Ids of the accounts, OUs and roots to which a policy is attached.
    async fn targets(&self, policy: &str) -> Result<Vec<String>, Fault>;
}

/// A seat and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatPlace {
    /// The seat.
    pub seat: Seat,
    /// Its state.
    pub state: State,
    /// Neither suspended nor closed.
    pub active: bool,
}

/// Every seat of the installation, wherever it is: by its name, with its state. One paged reading.
pub async fn seats(organization: &dyn Organization, names: &Names) -> Result<Vec<SeatPlace>, Fault> {
    let layout = organization.layout(names).await?;
    seats_in(organization, names, &layout).await
}

/// The same with a layout that was just read.
pub async fn seats_in(
    organization: &dyn Organization,
    names: &Names,
    layout: &Layout,
) -> Result<Vec<SeatPlace>, Fault> {
    let mut places: BTreeMap<AccountId, State> = BTreeMap::new();
    for unit in layout.holding() {
        for account in organization.accounts_in(&unit.id).await? {
            places.insert(account.id, layout.state_of(&unit.id));
        }
    }
    let mut seats: Vec<SeatPlace> = organization
        .accounts()
        .await?
        .into_iter()
        .filter(|account| names.is_seat(&account.name))
        .map(|account| SeatPlace {
            state: places.get(&account.id).cloned().unwrap_or(State::Outside),
            active: account.active,
            seat: Seat { seat: account.name.into(), account: account.id },
        })
        .collect();
    seats.sort_by(|a, b| a.seat.cmp(&b.seat));
    Ok(seats)
}

/// The id of a policy by its name.
pub async fn policy_named(organization: &dyn Organization, name: &str) -> Result<Option<String>, Fault> {
    let policies = organization.policies().await?;
    Ok(policies.into_iter().find(|p| p.name == name).map(|p| p.id))
}

/// A creation of an account that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    /// The account's name.
    pub name: String,
    /// How it stands.
    pub status: CreationStatus,
}

/// How a creation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreationStatus {
    /// AWS works on it.
    InProgress,
    /// The account is there.
    Succeeded,
    /// AWS's reason.
    Failed(String),
}

/// Creating accounts. Role `pool-writer`; one writer.
#[async_trait]
pub trait AccountMaker: Send + Sync {
    /// All creations that AWS still lists, by page.
    async fn creations(&self) -> Result<Vec<Creation>, Fault>;
    /// Asks for one account. It cannot be repeated: look before asking.
    async fn ask(&self, name: &str, email: &str, tags: &[(&str, &str)]) -> Result<(), Fault>;
}

/// Moving accounts. Role `pool-writer`; one writer.
#[async_trait]
pub trait SeatMover: Send + Sync {
    /// Moves an account; `Conflict` if it is no longer in `from`, so only one of two movers wins.
    async fn move_seat(&self, account: &AccountId, from: &str, to: &str) -> Result<(), Fault>;
}

/// Units and policies. Role `guardrail-writer`; one writer.
#[async_trait]
pub trait Guardrails: Send + Sync {
    /// A policy's document.
    async fn content(&self, policy: &str) -> Result<String, Fault>;
    /// Makes an OU.
    async fn create_unit(&self, parent: &str, name: &str) -> Result<Unit, Fault>;
    /// Deletes an empty OU.
    async fn delete_unit(&self, unit: &str) -> Result<(), Fault>;
    /// Makes a policy.
    async fn create_policy(&self, name: &str, content: &str) -> Result<Policy, Fault>;
    /// Rewrites a policy.
    async fn update_policy(&self, policy: &str, content: &str) -> Result<(), Fault>;
    /// Deletes a policy that is attached nowhere.
    async fn delete_policy(&self, policy: &str) -> Result<(), Fault>;
    /// Attaches; already attached is fine.
    async fn attach(&self, policy: &str, target: &str) -> Result<(), Fault>;
    /// Detaches; not attached is fine.
    async fn detach(&self, policy: &str, target: &str) -> Result<(), Fault>;
}

/// The names of the OUs that the pool lacks.
pub fn missing_units(layout: &Layout) -> Vec<&'static str> {
    UNITS.into_iter().filter(|name| !layout.units.contains_key(*name)).collect()
}
