//! The organization's twin in memory, for handlers' tests.

use crate::{
    Account, AccountMaker, Creation, CreationStatus, Guardrails, Layout, Organization, Policy, SeatMover, Unit,
};
use async_trait::async_trait;
use shared::{AccountId, CourseId, Fault, Names};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// Everything in it, comparable: two equal worlds are the same organization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    /// Accounts by id.
    pub accounts: BTreeMap<AccountId, Account>,
    /// Units by id.
    pub units: BTreeMap<String, Unit>,
    /// Names and contents of policies by id.
    pub policies: BTreeMap<String, (String, String)>,
    /// What is attached where: policy id, target id.
    pub attached: BTreeSet<(String, String)>,
}

/// An organization in memory. Creations of accounts succeed at once.
#[derive(Debug, Default)]
pub struct MemoryOrganization {
    world: Mutex<World>,
}

const ROOT: &str = "r-root";

impl MemoryOrganization {
    /// A copy of the world, for assertions.
    pub fn world(&self) -> World {
        self.with(|w| w.clone())
    }

    fn with<T>(&self, f: impl FnOnce(&mut World) -> T) -> T {
        f(&mut self.world.lock().unwrap_or_else(|e| e.into_inner()))
    }

    /// Puts an account into a unit (`""`: the root), past all rules.
    pub fn place(&self, id: &str, name: &str, unit: &str) {
        let unit = if unit.is_empty() { ROOT } else { unit };
        let account = Account {
            id: id.into(),
            name: name.to_owned(),
            email: format!("aws+{name}@example.com"),
            unit: unit.to_owned(),
            active: true,
        };
        self.with(|w| w.accounts.insert(id.into(), account));
    }
}

#[async_trait]
impl Organization for MemoryOrganization {
    async fn layout(&self, names: &Names) -> Result<Layout, Fault> {
        Ok(self.with(|w| {
            let below = |parent: &str| w.units.values().filter(|u| u.parent == parent).cloned().collect::<Vec<_>>();
            let pool = below(ROOT).into_iter().find(|u| u.name == names.installation());
            let units: BTreeMap<_, _> = pool.iter().flat_map(|p| below(&p.id)).map(|u| (u.name.clone(), u)).collect();
            let courses = units
                .get("Active")
                .map(|a| below(&a.id))
                .unwrap_or_default()
                .into_iter()
                .map(|u| (CourseId(u.name.clone()), u))
                .collect();
            Layout { root: ROOT.to_owned(), pool, units, courses }
        }))
    }

    async fn accounts(&self) -> Result<Vec<Account>, Fault> {
        Ok(self.with(|w| w.accounts.values().cloned().collect()))
    }

    async fn accounts_in(&self, unit: &str) -> Result<Vec<Account>, Fault> {
        Ok(self.with(|w| w.accounts.values().filter(|a| a.unit == unit).cloned().collect()))
    }

    async fn account(&self, id: &AccountId) -> Result<Option<Account>, Fault> {
        Ok(self.with(|w| w.accounts.get(id).cloned()))
    }

    async fn policies(&self) -> Result<Vec<Policy>, Fault> {
        Ok(self
            .with(|w| w.policies.iter().map(|(id, (name, _))| Policy { id: id.clone(), name: name.clone() }).collect()))
    }

    async fn targets(&self, policy: &str) -> Result<Vec<String>, Fault> {
        Ok(self.with(|w| w.attached.iter().filter(|(p, _)| p == policy).map(|(_, target)| target.clone()).collect()))
    }
}

#[async_trait]
impl AccountMaker for MemoryOrganization {
    async fn creations(&self) -> Result<Vec<Creation>, Fault> {
        Ok(self.with(|w| {
            w.accounts.values().map(|a| Creation { name: a.name.clone(), status: CreationStatus::Succeeded }).collect()
        }))
    }

    async fn ask(&self, name: &str, email: &str, _tags: &[(&str, &str)]) -> Result<(), Fault> {
        self.with(|w| {
            if w.accounts.values().any(|a| a.email == email) {
                return Err(Fault::broken(format!("EMAIL_ALREADY_EXISTS: {email}")));
            }
            let id = AccountId(format!("{:012}", 100_000_000_001 + w.accounts.len()));
            let account = Account {
                id: id.clone(),
                name: name.to_owned(),
                email: email.to_owned(),
                unit: ROOT.to_owned(),
                active: true,
            };
            w.accounts.insert(id, account);
            Ok(())
        })
    }
}

#[async_trait]
impl SeatMover for MemoryOrganization {
    async fn move_seat(&self, account: &AccountId, from: &str, to: &str) -> Result<(), Fault> {
        self.with(|w| match w.accounts.get_mut(account) {
            Some(found) if found.unit == from => {
                found.unit = to.to_owned();
                Ok(())
            }
            _ => Err(Fault::conflict(format!("account {account} is no longer in {from}"))),
        })
    }
}

#[async_trait]
impl Guardrails for MemoryOrganization {
    async fn content(&self, policy: &str) -> Result<String, Fault> {
        self.with(|w| w.policies.get(policy).map(|(_, content)| content.clone()))
            .ok_or_else(|| Fault::broken(format!("no policy {policy}")))
    }

    async fn create_unit(&self, parent: &str, name: &str) -> Result<Unit, Fault> {
        self.with(|w| {
            if w.units.values().any(|u| u.parent == parent && u.name == name) {
                return Err(Fault::conflict(format!("DuplicateOrganizationalUnitException: {name}")));
            }
            let unit = Unit { id: format!("ou-{parent}/{name}"), name: name.to_owned(), parent: parent.to_owned() };
            w.units.insert(unit.id.clone(), unit.clone());
            Ok(unit)
        })
    }

    async fn delete_unit(&self, unit: &str) -> Result<(), Fault> {
        self.with(|w| {
            if w.accounts.values().any(|a| a.unit == unit) {
                return Err(Fault::conflict(format!("organizational unit {unit} is not empty")));
            }
            w.units.remove(unit);
            w.attached.retain(|(_, target)| target != unit);
            Ok(())
        })
    }

    async fn create_policy(&self, name: &str, content: &str) -> Result<Policy, Fault> {
        self.with(|w| {
            if w.policies.values().any(|(n, _)| n == name) {
                return Err(Fault::conflict(format!("DuplicatePolicyException: {name}")));
            }
            let id = format!("p-{name}");
            w.policies.insert(id.clone(), (name.to_owned(), content.to_owned()));
            Ok(Policy { id, name: name.to_owned() })
        })
    }

    async fn update_policy(&self, policy: &str, content: &str) -> Result<(), Fault> {
        self.with(|w| {
            if let Some((_, old)) = w.policies.get_mut(policy) {
                *old = content.to_owned();
            }
        });
        Ok(())
    }

    async fn delete_policy(&self, policy: &str) -> Result<(), Fault> {
        self.with(|w| {
            if w.attached.iter().any(|(p, _)| p == policy) {
                return Err(Fault::conflict(format!("PolicyInUseException: {policy}")));
            }
            w.policies.remove(policy);
            Ok(())
        })
    }

    async fn attach(&self, policy: &str, target: &str) -> Result<(), Fault> {
        self.with(|w| w.attached.insert((policy.to_owned(), target.to_owned())));
        Ok(())
    }

    async fn detach(&self, policy: &str, target: &str) -> Result<(), Fault> {
        self.with(|w| w.attached.remove(&(policy.to_owned(), target.to_owned())));
        Ok(())
    }
}
