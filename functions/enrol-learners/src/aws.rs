//! The identity store on AWS.

use crate::{Directory, Member};
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_identitystore::types::{Email, MemberId, Name};
use identity_center::Center;
use runtime::{Settings, code, fault};
use shared::Fault;
use shared::plan::Placement;
use std::collections::BTreeMap;

/// One identity store.
#[derive(Clone, Debug)]
pub struct AwsDirectory {
    center: Center,
}

impl AwsDirectory {
    /// The installation's.
    pub fn new(config: &SdkConfig, settings: &Settings) -> Self {
        Self { center: Center::new(config, settings) }
    }
}

#[async_trait]
impl Directory for AwsDirectory {
    async fn users(&self) -> Result<BTreeMap<String, String>, Fault> {
        let mut users = self
            .center
            .store
            .list_users()
            .identity_store_id(&self.center.identity_store)
            .into_paginator()
            .items()
            .send();
        let mut all = BTreeMap::new();
        while let Some(user) = users.next().await {
            let user = user.map_err(|e| fault("listing users", e))?;
            all.insert(user.user_name.unwrap_or_default().to_lowercase(), user.user_id);
        }
        Ok(all)
    }

    async fn create_user(&self, learner: &Placement) -> Result<String, Fault> {
        let name = Name::builder()
            .family_name(&learner.family_name)
            // AWS wants both names.
            .given_name(if learner.given_name.is_empty() { "-" } else { &learner.given_name })
            .build();
        let display = format!("{} {}", learner.given_name, learner.family_name);
        let email = Email::builder().value(&learner.email).primary(true).build();
        let call = self
            .center
            .store
            .create_user()
            .identity_store_id(&self.center.identity_store)
            .user_name(learner.user_name())
            .display_name(display.trim())
            .name(name)
            .emails(email);
        match call.send().await {
            Ok(made) => Ok(made.user_id),
            // A first answer that got lost: the user is there.
            Err(error) if code(&error) == Some("ConflictException") => {
                let id = self.users().await?.remove(learner.user_name());
                id.ok_or_else(|| fault(format!("making user {}", learner.user_name()), error))
            }
            Err(error) => Err(fault(format!("making user {}", learner.user_name()), error)),
        }
    }

    async fn delete_user(&self, user: &str) -> Result<(), Fault> {
        match self.center.store.delete_user().identity_store_id(&self.center.identity_store).user_id(user).send().await
        {
            Err(error) if code(&error) != Some("ResourceNotFoundException") => {
                Err(fault(format!("deleting user {user}"), error))
            }
            _ => Ok(()),
        }
    }

    async fn groups(&self) -> Result<BTreeMap<String, String>, Fault> {
        self.center.groups().await
    }

    async fn members(&self, group: &str) -> Result<Vec<Member>, Fault> {
        self.center.members(group).await
    }

    async fn is_in_a_group(&self, user: &str) -> Result<bool, Fault> {
        let call = self
            .center
            .store
            .list_group_memberships_for_member()
            .identity_store_id(&self.center.identity_store)
            .member_id(MemberId::UserId(user.to_owned()));
        match call.send().await {
            Ok(answer) => Ok(!answer.group_memberships.is_empty()),
            Err(error) if code(&error) == Some("ResourceNotFoundException") => Ok(false),
            Err(error) => Err(fault(format!("listing groups of user {user}"), error)),
        }
    }

    async fn join(&self, group: &str, user: &str) -> Result<(), Fault> {
        let call = self
            .center
            .store
            .create_group_membership()
            .identity_store_id(&self.center.identity_store)
            .group_id(group)
            .member_id(MemberId::UserId(user.to_owned()));
        match call.send().await {
            Ok(_) => Ok(()),
            // A first answer that got lost. Who is in the group is read again when access is proved.
            Err(error) if code(&error) == Some("ConflictException") => Ok(()),
            Err(error) => Err(fault(format!("putting user {user} into group {group}"), error)),
        }
    }

    async fn leave(&self, membership: &str) -> Result<(), Fault> {
        let call = self
            .center
            .store
            .delete_group_membership()
            .identity_store_id(&self.center.identity_store)
            .membership_id(membership);
        match call.send().await {
            Err(error) if code(&error) != Some("ResourceNotFoundException") => {
                Err(fault(format!("ending membership {membership}"), error))
            }
            _ => Ok(()),
        }
    }
}
