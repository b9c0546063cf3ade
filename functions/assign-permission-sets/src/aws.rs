//! IAM Identity Center on AWS. The operations account is its delegated administrator.

use crate::{Failure, IdentityCenter};
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_ssoadmin::types::{
    CustomerManagedPolicyReference, OperationStatusFilter, PrincipalType, StatusValues, TargetType,
};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use identity_center::Center;
use jiff::Timestamp;
use runtime::{Settings, code, fault};
use shared::{AccountId, Fault};
use std::collections::{BTreeMap, BTreeSet};

/// How long a learner's session lasts (ISO 8601): a morning or an afternoon.
const SESSION: &str = "PT4H";

/// One instance and its identity store.
#[derive(Clone, Debug)]
pub struct AwsIdentityCenter {
    center: Center,
}

impl AwsIdentityCenter {
    /// The installation's instance.
    pub fn new(config: &SdkConfig, settings: &Settings) -> Self {
        Self { center: Center::new(config, settings) }
    }

    async fn requests(&self, status: StatusValues) -> Result<Vec<Failure>, Fault> {
        let filter = OperationStatusFilter::builder().status(status).build();
        let mut pages = self
            .center
            .admin
            .list_account_assignment_creation_status()
            .instance_arn(&self.center.instance)
            .filter(filter)
            .into_paginator()
            .items()
            .send();
        let mut requests = Vec::new();
        while let Some(request) = pages.next().await {
            let request = request.map_err(|e| fault("listing assignments under way", e))?;
            let described = self
                .center
                .admin
                .describe_account_assignment_creation_status()
                .instance_arn(&self.center.instance)
                .account_assignment_creation_request_id(request.request_id.unwrap_or_default())
                .send()
                .await
                .map_err(|e| fault("reading an assignment under way", e))?;
            if let Some(status) = described.account_assignment_creation_status {
                requests.push(Failure {
                    account: AccountId(status.target_id.unwrap_or_default()),
                    reason: status.failure_reason.unwrap_or_default(),
                    at: status
                        .created_date
                        .and_then(|d| Timestamp::from_second(d.secs()).ok())
                        .unwrap_or(Timestamp::UNIX_EPOCH),
                });
            }
        }
        Ok(requests)
    }
}

#[async_trait]
impl IdentityCenter for AwsIdentityCenter {
    async fn permission_set(&self, name: &str) -> Result<Option<String>, Fault> {
        self.center.permission_set(name).await
    }

    async fn create_permission_set(&self, name: &str) -> Result<String, Fault> {
        let call = self
            .center
            .admin
            .create_permission_set()
            .instance_arn(&self.center.instance)
            .name(name)
            .description("Learners of Koza: what they may do is in policies of their account")
            .session_duration(SESSION);
        let arn = match call.send().await {
            Ok(made) => made.permission_set.and_then(|s| s.permission_set_arn),
            // A first answer that got lost: it is there.
            Err(e) if exists(&e) => self.center.permission_set(name).await?,
            Err(e) => return Err(fault(format!("making permission set {name}"), e)),
        };
        arn.ok_or_else(|| Fault::broken(format!("permission set {name} has no ARN")))
    }

    async fn references(&self, set: &str) -> Result<BTreeSet<String>, Fault> {
        let mut references = self
            .center
            .admin
            .list_customer_managed_policy_references_in_permission_set()
            .instance_arn(&self.center.instance)
            .permission_set_arn(set)
            .into_paginator()
            .items()
            .send();
        let mut names = BTreeSet::new();
        while let Some(reference) = references.next().await {
            names.insert(reference.map_err(|e| fault("reading the permission set's policies", e))?.name);
        }
        Ok(names)
    }

    async fn refer(&self, set: &str, policy: &str, path: &str) -> Result<(), Fault> {
        let reference = CustomerManagedPolicyReference::builder()
            .name(policy)
            .path(path)
            .build()
            .map_err(|e| Fault::because(Fault::Broken, "a policy reference", e))?;
        let call = self
            .center
            .admin
            .attach_customer_managed_policy_reference_to_permission_set()
            .instance_arn(&self.center.instance)
            .permission_set_arn(set)
            .customer_managed_policy_reference(reference);
        match call.send().await {
            Ok(_) => Ok(()),
            Err(e) if exists(&e) => Ok(()),
            Err(e) => Err(fault(format!("referring to policy {policy}"), e)),
        }
    }

    async fn groups(&self) -> Result<BTreeMap<String, String>, Fault> {
        self.center.groups().await
    }

    async fn create_group(&self, name: &str) -> Result<String, Fault> {
        let call = self
            .center
            .store
            .create_group()
            .identity_store_id(&self.center.identity_store)
            .display_name(name)
            .description("A seat of Koza");
        match call.send().await {
            Ok(made) => Ok(made.group_id),
            // A first answer that got lost: it is there.
            Err(e) if exists(&e) => {
                let id = self.center.groups().await?.remove(name);
                id.ok_or_else(|| Fault::conflict(format!("group {name} is there, but not listed yet")))
            }
            Err(e) => Err(fault(format!("making group {name}"), e)),
        }
    }

    async fn provisioned(&self, set: &str) -> Result<BTreeSet<AccountId>, Fault> {
        let pages = self
            .center
            .admin
            .list_accounts_for_provisioned_permission_set()
            .instance_arn(&self.center.instance)
            .permission_set_arn(set)
            .into_paginator()
            .items()
            .send();
        let accounts: Vec<String> =
            pages.try_collect().await.map_err(|e| fault("listing accounts of the permission set", e))?;
        Ok(accounts.into_iter().map(AccountId).collect())
    }

    async fn in_flight(&self) -> Result<BTreeSet<AccountId>, Fault> {
        Ok(self.requests(StatusValues::InProgress).await?.into_iter().map(|r| r.account).collect())
    }

    async fn failures(&self) -> Result<Vec<Failure>, Fault> {
        self.requests(StatusValues::Failed).await
    }

    async fn assign(&self, set: &str, account: &AccountId, group: &str) -> Result<(), Fault> {
        let call = self
            .center
            .admin
            .create_account_assignment()
            .instance_arn(&self.center.instance)
            .permission_set_arn(set)
            .target_type(TargetType::AwsAccount)
            .target_id(account.as_str())
            .principal_type(PrincipalType::Group)
            .principal_id(group);
        match call.send().await {
            Ok(_) => Ok(()),
            // It is being made already; the next call sees how it ends.
            Err(e) if exists(&e) => Ok(()),
            Err(e) => Err(fault(format!("assigning account {account}"), e)),
        }
    }
}

/// Identity Center's word for "it is there already", and for "somebody else is at it".
fn exists<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    code(error) == Some("ConflictException")
}
