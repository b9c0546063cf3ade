//! The adapter to AWS Organizations. The service lives in us-east-1, wherever it is called from.

use crate::{
    Account, AccountMaker, Creation, CreationStatus, Guardrails, Layout, Organization, Policy, SeatMover, Unit,
};
use async_trait::async_trait;
use aws_config::{Region, SdkConfig};
use aws_sdk_organizations::Client;
use aws_sdk_organizations::types::{CreateAccountState, PolicyType, Tag};
use runtime::{code, fault};
use shared::{AccountId, CourseId, Fault, Names};
use std::collections::BTreeMap;

fn client(config: &SdkConfig) -> Client {
    let conf = aws_sdk_organizations::config::Builder::from(config).region(Region::new("us-east-1")).build();
    Client::from_conf(conf)
}

/// Reads the organization.
#[derive(Clone, Debug)]
pub struct OrganizationsReader {
    client: Client,
}

impl OrganizationsReader {
    /// With the credentials of the management account's `organization-reader`.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: client(config) }
    }

    async fn units_below(&self, parent: &str) -> Result<Vec<Unit>, Fault> {
        let mut pages = self.client.list_organizational_units_for_parent().parent_id(parent).into_paginator().send();
        let mut units = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| fault(format!("listing the organizational units below {parent}"), e))?;
            units.extend(page.organizational_units().iter().map(|u| Unit {
                id: u.id().unwrap_or_default().to_owned(),
                name: u.name().unwrap_or_default().to_owned(),
                parent: parent.to_owned(),
            }));
        }
        Ok(units)
    }
}

fn account(of: &aws_sdk_organizations::types::Account, unit: &str) -> Account {
    let status = of.status().map(|s| s.as_str());
    Account {
        id: AccountId(of.id().unwrap_or_default().to_owned()),
        name: of.name().unwrap_or_default().to_owned(),
        email: of.email().unwrap_or_default().to_owned(),
        unit: unit.to_owned(),
        active: status == Some("ACTIVE"),
    }
}

#[async_trait]
impl Organization for OrganizationsReader {
    async fn layout(&self, names: &Names) -> Result<Layout, Fault> {
        let answer = self.client.list_roots().send().await.map_err(|e| fault("listing the organization's root", e))?;
        let root = answer
            .roots()
            .first()
            .and_then(|r| r.id())
            .ok_or_else(|| Fault::broken("the organization has no root"))?
            .to_owned();
        let pool = self.units_below(&root).await?.into_iter().find(|u| u.name == names.installation());
        let mut units = BTreeMap::new();
        let mut courses = BTreeMap::new();
        if let Some(pool) = &pool {
            for unit in self.units_below(&pool.id).await? {
                units.insert(unit.name.clone(), unit);
            }
        }
        if let Some(active) = units.get("Active") {
            for unit in self.units_below(&active.id).await? {
                courses.insert(CourseId(unit.name.clone()), unit);
            }
        }
        Ok(Layout { root, pool, units, courses })
    }

    async fn accounts(&self) -> Result<Vec<Account>, Fault> {
        let mut pages = self.client.list_accounts().into_paginator().send();
        let mut accounts = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| fault("listing the organization's accounts", e))?;
            accounts.extend(page.accounts().iter().map(|a| account(a, "")));
        }
        Ok(accounts)
    }

    async fn accounts_in(&self, unit: &str) -> Result<Vec<Account>, Fault> {
        let mut pages = self.client.list_accounts_for_parent().parent_id(unit).into_paginator().send();
        let mut accounts = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| fault(format!("listing the accounts in {unit}"), e))?;
            accounts.extend(page.accounts().iter().map(|a| account(a, unit)));
        }
        Ok(accounts)
    }

    async fn account(&self, id: &AccountId) -> Result<Option<Account>, Fault> {
        let answer = self.client.describe_account().account_id(id.as_str()).send().await;
        let described = match answer {
            Ok(answer) => answer.account,
            Err(e) if code(&e) == Some("AccountNotFoundException") => None,
            Err(e) => return Err(fault(format!("describing account {id}"), e)),
        };
        let Some(described) = described else {
            return Ok(None);
        };
        let parents = self
            .client
            .list_parents()
            .child_id(id.as_str())
            .send()
            .await
            .map_err(|e| fault(format!("asking where account {id} is"), e))?;
        let unit = parents.parents().first().and_then(|p| p.id()).unwrap_or_default();
        Ok(Some(account(&described, unit)))
    }

    async fn policies(&self) -> Result<Vec<Policy>, Fault> {
        let mut pages = self.client.list_policies().filter(PolicyType::ServiceControlPolicy).into_paginator().send();
        let mut policies = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| fault("listing the service control policies", e))?;
            policies.extend(page.policies().iter().map(|p| Policy {
                id: p.id().unwrap_or_default().to_owned(),
                name: p.name().unwrap_or_default().to_owned(),
            }));
        }
        Ok(policies)
    }

    async fn targets(&self, policy: &str) -> Result<Vec<String>, Fault> {
        let mut pages = self.client.list_targets_for_policy().policy_id(policy).into_paginator().send();
        let mut targets = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| fault(format!("listing what policy {policy} is attached to"), e))?;
            targets.extend(page.targets().iter().filter_map(|t| t.target_id.clone()));
        }
        Ok(targets)
    }
}

/// Writes the organization, within what its role may.
#[derive(Clone, Debug)]
pub struct OrganizationsWriter {
    client: Client,
}

impl OrganizationsWriter {
    /// With the credentials of the management account's `pool-writer` or `guardrail-writer`.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: client(config) }
    }

    fn reader(&self) -> OrganizationsReader {
        OrganizationsReader { client: self.client.clone() }
    }

    async fn parent(&self, child: &str) -> Result<Option<String>, Fault> {
        let call = self.client.list_parents().child_id(child);
        let answer = call.send().await.map_err(|e| fault(format!("asking where {child} is"), e))?;
        Ok(answer.parents().first().and_then(|p| p.id.clone()))
    }
}

#[async_trait]
impl AccountMaker for OrganizationsWriter {
    async fn creations(&self) -> Result<Vec<Creation>, Fault> {
        let mut pages = self.client.list_create_account_status().into_paginator().send();
        let mut creations = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| fault("listing the creations of accounts", e))?;
            creations.extend(page.create_account_statuses().iter().map(|c| Creation {
                name: c.account_name().unwrap_or_default().to_owned(),
                status: match c.state() {
                    Some(CreateAccountState::Succeeded) => CreationStatus::Succeeded,
                    Some(CreateAccountState::Failed) => {
                        CreationStatus::Failed(c.failure_reason().map(|r| r.as_str()).unwrap_or("no reason").to_owned())
                    }
                    _ => CreationStatus::InProgress,
                },
            }));
        }
        Ok(creations)
    }

    async fn ask(&self, name: &str, email: &str, tags: &[(&str, &str)]) -> Result<(), Fault> {
        let tags = tags
            .iter()
            .map(|(key, value)| Tag::builder().key(*key).value(*value).build())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| Fault::because(Fault::Broken, "building the account's tags", e))?;
        self.client
            .create_account()
            .account_name(name)
            .email(email)
            .set_tags(Some(tags))
            .send()
            .await
            .map_err(|e| fault(format!("asking for account {name}"), e))?;
        Ok(())
    }
}

#[async_trait]
impl SeatMover for OrganizationsWriter {
    async fn move_seat(&self, account: &AccountId, from: &str, to: &str) -> Result<(), Fault> {
        let answer = self
            .client
            .move_account()
            .account_id(account.as_str())
            .source_parent_id(from)
            .destination_parent_id(to)
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            // Our own call may have been the one that moved it: its answer can get lost.
            Err(e) if code(&e) == Some("SourceParentNotFoundException") => {
                match self.parent(account.as_str()).await?.as_deref() {
                    Some(parent) if parent == to => Ok(()),
                    _ => Err(Fault::conflict(format!("account {account} is no longer in {from}"))),
                }
            }
            Err(e) if code(&e) == Some("DuplicateAccountException") => Ok(()),
            Err(e) if code(&e) == Some("AccountNotFoundException") => {
                Err(Fault::conflict(format!("account {account} is no longer in {from}")))
            }
            Err(e) => Err(fault(format!("moving account {account}"), e)),
        }
    }
}

#[async_trait]
impl Guardrails for OrganizationsWriter {
    async fn content(&self, policy: &str) -> Result<String, Fault> {
        let answer = self
            .client
            .describe_policy()
            .policy_id(policy)
            .send()
            .await
            .map_err(|e| fault(format!("reading policy {policy}"), e))?;
        let content = answer.policy.and_then(|p| p.content);
        content.ok_or_else(|| Fault::broken(format!("policy {policy} has no content")))
    }

    async fn create_unit(&self, parent: &str, name: &str) -> Result<Unit, Fault> {
        let call = self.client.create_organizational_unit().parent_id(parent).name(name);
        let id = match call.send().await {
            Ok(answer) => answer.organizational_unit.and_then(|u| u.id),
            // A first answer that got lost: it is there.
            Err(e) if code(&e) == Some("DuplicateOrganizationalUnitException") => {
                let units = self.reader().units_below(parent).await?;
                units.into_iter().find(|u| u.name == name).map(|u| u.id)
            }
            Err(e) => return Err(fault(format!("making the organizational unit {name}"), e)),
        };
        Ok(Unit {
            id: id.ok_or_else(|| Fault::broken(format!("organizational unit {name} has no id")))?,
            name: name.to_owned(),
            parent: parent.to_owned(),
        })
    }

    async fn delete_unit(&self, unit: &str) -> Result<(), Fault> {
        let answer = self.client.delete_organizational_unit().organizational_unit_id(unit).send().await;
        match answer {
            Ok(_) => Ok(()),
            Err(e) if code(&e) == Some("OrganizationalUnitNotFoundException") => Ok(()),
            Err(e) if code(&e) == Some("OrganizationalUnitNotEmptyException") => {
                Err(Fault::conflict(format!("organizational unit {unit} is not empty")))
            }
            Err(e) => Err(fault(format!("deleting the organizational unit {unit}"), e)),
        }
    }

    async fn create_policy(&self, name: &str, content: &str) -> Result<Policy, Fault> {
        let call = self
            .client
            .create_policy()
            .name(name)
            .description("Koza's. It is kept equal to what Koza generates.")
            .r#type(PolicyType::ServiceControlPolicy)
            .content(content);
        let id = match call.send().await {
            Ok(answer) => answer.policy.and_then(|p| p.policy_summary).and_then(|s| s.id),
            // A first answer that got lost: it is there, with this content.
            Err(e) if code(&e) == Some("DuplicatePolicyException") => {
                let policies = self.reader().policies().await?;
                policies.into_iter().find(|p| p.name == name).map(|p| p.id)
            }
            Err(e) => return Err(fault(format!("making policy {name}"), e)),
        };
        Ok(Policy { id: id.ok_or_else(|| Fault::broken(format!("policy {name} has no id")))?, name: name.to_owned() })
    }

    async fn update_policy(&self, policy: &str, content: &str) -> Result<(), Fault> {
        self.client
            .update_policy()
            .policy_id(policy)
            .content(content)
            .send()
            .await
            .map_err(|e| fault(format!("rewriting policy {policy}"), e))?;
        Ok(())
    }

    async fn delete_policy(&self, policy: &str) -> Result<(), Fault> {
        match self.client.delete_policy().policy_id(policy).send().await {
            Ok(_) => Ok(()),
            Err(e) if code(&e) == Some("PolicyNotFoundException") => Ok(()),
            Err(e) => Err(fault(format!("deleting policy {policy}"), e)),
        }
    }

    async fn attach(&self, policy: &str, target: &str) -> Result<(), Fault> {
        match self.client.attach_policy().policy_id(policy).target_id(target).send().await {
            Ok(_) => Ok(()),
            Err(e) if code(&e) == Some("DuplicatePolicyAttachmentException") => Ok(()),
            Err(e) => Err(fault(format!("attaching policy {policy} to {target}"), e)),
        }
    }

    async fn detach(&self, policy: &str, target: &str) -> Result<(), Fault> {
        match self.client.detach_policy().policy_id(policy).target_id(target).send().await {
            Ok(_) => Ok(()),
            Err(e) if code(&e) == Some("PolicyNotAttachedException") => Ok(()),
            Err(e) => Err(fault(format!("detaching policy {policy} from {target}"), e)),
        }
    }
}
