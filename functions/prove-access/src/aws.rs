//! Identity Center and the probe on AWS.

use crate::{Center, Probe, Probed};
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_ssoadmin::types::PrincipalType;
use runtime::{Aws, Settings, code, fault, text};
use shared::fault::{Meaning, meaning};
use shared::names::MemberRole;
use shared::{AccountId, Fault};
use std::collections::BTreeMap;

/// One instance and its identity store.
#[derive(Clone, Debug)]
pub struct AwsCenter {
    center: identity_center::Center,
}

impl AwsCenter {
    /// The installation's instance.
    pub fn new(config: &SdkConfig, settings: &Settings) -> Self {
        Self { center: identity_center::Center::new(config, settings) }
    }
}

#[async_trait]
impl Center for AwsCenter {
    async fn groups(&self) -> Result<BTreeMap<String, String>, Fault> {
        self.center.groups().await
    }

    async fn permission_set(&self, name: &str) -> Result<Option<String>, Fault> {
        self.center.permission_set(name).await
    }

    async fn members(&self, group: &str) -> Result<Vec<String>, Fault> {
        Ok(self.center.members(group).await?.into_iter().map(|m| m.user).collect())
    }

    async fn assignments(&self, group: &str) -> Result<Vec<(AccountId, String)>, Fault> {
        let mut assignments = self
            .center
            .admin
            .list_account_assignments_for_principal()
            .instance_arn(&self.center.instance)
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
