//! Identity Center and the probe on AWS.

use crate::{Center, Probe, Probed};
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_identitystore::types::MemberId;
use aws_sdk_ssoadmin::types::PrincipalType;
use runtime::{Aws, Settings, code, fault, text};
use shared::fault::{Meaning, meaning};
use shared::names::MemberRole;
use shared::{AccountId, Fault};
use std::collections::BTreeMap;

/// One instance and its identity store.
#[derive(Clone, Debug)]
pub struct AwsCenter {
    admin: aws_sdk_ssoadmin::Client,
    store: aws_sdk_identitystore::Client,
    instance: String,
    identity_store: String,
}

impl AwsCenter {
    /// The installation's instance.
    pub fn new(config: &SdkConfig, settings: &Settings) -> Self {
        Self {
            admin: aws_sdk_ssoadmin::Client::new(config),
            store: aws_sdk_identitystore::Client::new(config),
            instance: settings.identity_center.clone(),
            identity_store: settings.identity_store.clone(),
        }
    }
}

#[async_trait]
impl Center for AwsCenter {
    async fn groups(&self) -> Result<BTreeMap<String, String>, Fault> {
        let mut groups =
            self.store.list_groups().identity_store_id(&self.identity_store).into_paginator().items().send();
        let mut all = BTreeMap::new();
        while let Some(group) = groups.next().await {
            let group = group.map_err(|e| fault("listing groups", e))?;
            all.insert(group.display_name.unwrap_or_default(), group.group_id);
        }
        Ok(all)
    }

    async fn permission_set(&self, name: &str) -> Result<Option<String>, Fault> {
        let mut sets = self.admin.list_permission_sets().instance_arn(&self.instance).into_paginator().items().send();
        while let Some(arn) = sets.next().await {
            let arn = arn.map_err(|e| fault("listing permission sets", e))?;
            let call = self.admin.describe_permission_set().instance_arn(&self.instance).permission_set_arn(&arn);
            let described = call.send().await.map_err(|e| fault(format!("reading permission set {arn}"), e))?;
            if described.permission_set.and_then(|s| s.name).as_deref() == Some(name) {
                return Ok(Some(arn));
            }
        }
        Ok(None)
    }

    async fn members(&self, group: &str) -> Result<Vec<String>, Fault> {
        let mut memberships = self
            .store
            .list_group_memberships()
            .identity_store_id(&self.identity_store)
            .group_id(group)
            .into_paginator()
            .items()
            .send();
        let mut members = Vec::new();
        while let Some(membership) = memberships.next().await {
            let membership = membership.map_err(|e| fault(format!("listing members of group {group}"), e))?;
            members.push(match membership.member_id {
                Some(MemberId::UserId(user)) => user,
                other => format!("{other:?}"),
            });
        }
        Ok(members)
    }

    async fn assignments(&self, group: &str) -> Result<Vec<(AccountId, String)>, Fault> {
        let mut assignments = self
            .admin
            .list_account_assignments_for_principal()
            .instance_arn(&self.instance)
            .principal_id(group)
            .principal_type(PrincipalType::Group)
            .into_paginator()
            .items()
            .send();
        let mut all = Vec::new();
        while let Some(assignment) = assignments.next().await {
            let assignment = assignment.map_err(|e| fault(format!("listing assignments of group {group}"), e))?;
            let account = AccountId(assignment.account_id.unwrap_or_default());
            all.push((account, assignment.permission_set_arn.unwrap_or_default()));
        }
        Ok(all)
    }
}

/// The role koza-probe, which has the learners' policies and is exempt from nothing.
#[derive(Clone, Debug)]
pub struct AwsProbe {
    aws: Aws,
}

impl AwsProbe {
    /// From our own account.
    pub fn new(aws: &Aws) -> Self {
        Self { aws: aws.clone() }
    }
}

#[async_trait]
impl Probe for AwsProbe {
    async fn act(&self, account: &AccountId) -> Probed {
        let config = self.aws.member(account, MemberRole::Probe, "koza-prove-access").await;
        // Nobody can be denied GetCallerIdentity: if it fails, the role could not be taken.
        match Aws::identity(&config).await {
            Ok(identity) if &identity == account => {}
            Ok(other) => return Probed::NotAsked(format!("the credentials belong to account {other}")),
            Err(fault) => return Probed::NotAsked(fault.chain()),
        }
        match aws_sdk_iam::Client::new(&config).list_account_aliases().send().await {
            Ok(_) => Probed::Allowed,
            Err(error) if code(&error).is_some_and(|c| meaning(Some(c)) == Meaning::Refused) => Probed::Denied,
            Err(error) => Probed::NotAsked(text(&error)),
        }
    }
}
