//! What several functions read from IAM Identity Center: groups, who is in them, permission sets.

use aws_sdk_identitystore::types::MemberId;
use runtime::{Settings, fault};
use shared::Fault;
use std::collections::BTreeMap;

/// Somebody in a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Id of the membership.
    pub membership: String,
    /// Id of the user.
    pub user: String,
}

/// One instance and its identity store.
#[derive(Clone, Debug)]
pub struct Center {
    /// Permission sets and assignments.
    pub admin: aws_sdk_ssoadmin::Client,
    /// Users, groups and memberships.
    pub store: aws_sdk_identitystore::Client,
    /// ARN of the instance.
    pub instance: String,
    /// Id of the identity store.
    pub identity_store: String,
}

impl Center {
    /// The installation's instance, with credentials of its delegated administrator.
    pub fn new(config: &aws_config::SdkConfig, settings: &Settings) -> Self {
        Self {
            admin: aws_sdk_ssoadmin::Client::new(config),
            store: aws_sdk_identitystore::Client::new(config),
            instance: settings.identity_center.clone(),
            identity_store: settings.identity_store.clone(),
        }
    }

    /// All groups, every page: name to id.
    pub async fn groups(&self) -> Result<BTreeMap<String, String>, Fault> {
        let call = self.store.list_groups().identity_store_id(&self.identity_store);
        let mut groups = call.into_paginator().items().send();
        let mut all = BTreeMap::new();
        while let Some(group) = groups.next().await {
            let group = group.map_err(|e| fault("listing groups", e))?;
            all.insert(group.display_name.unwrap_or_default(), group.group_id);
        }
        Ok(all)
    }

    /// Who is in a group. Only users can be.
    pub async fn members(&self, group: &str) -> Result<Vec<Member>, Fault> {
        let call = self.store.list_group_memberships().identity_store_id(&self.identity_store).group_id(group);
        let mut memberships = call.into_paginator().items().send();
        let mut members = Vec::new();
        while let Some(membership) = memberships.next().await {
            let membership = membership.map_err(|e| fault(format!("listing members of group {group}"), e))?;
            let user = match membership.member_id {
                Some(MemberId::UserId(user)) => user,
                other => return Err(Fault::broken(format!("group {group} has a member that is no user: {other:?}"))),
            };
            members.push(Member { membership: membership.membership_id, user });
        }
        Ok(members)
    }

    /// ARN of a permission set. AWS lists ARNs only, so each is asked for its name.
    pub async fn permission_set(&self, name: &str) -> Result<Option<String>, Fault> {
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
}
