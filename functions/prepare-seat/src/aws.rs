//! IAM on AWS.

use crate::SeatIam;
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_iam::Client;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use runtime::{code, fault};
use serde_json::Value;
use shared::Fault;
use shared::keepset::SeenRole;
use shared::names::PATH;

/// One account's IAM.
#[derive(Clone, Debug)]
pub struct AwsIam {
    client: Client,
}

impl AwsIam {
    /// With credentials of that account.
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }
}

/// What is gone already was deleted by a call whose answer got lost, or a list is behind.
fn done_or_gone<T, E>(answer: Result<T, SdkError<E>>, doing: impl FnOnce() -> String) -> Result<(), Fault>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match answer {
        Err(error) if code(&error) != Some("NoSuchEntity") => Err(fault(doing(), error)),
        _ => Ok(()),
    }
}

#[async_trait]
impl SeatIam for AwsIam {
    async fn alias(&self) -> Result<Option<String>, Fault> {
        let answer = self.client.list_account_aliases().send().await.map_err(|e| fault("reading the alias", e))?;
        Ok(answer.account_aliases.into_iter().next())
    }

    async fn set_alias(&self, alias: &str) -> Result<(), Fault> {
        match self.client.create_account_alias().account_alias(alias).send().await {
            Ok(_) => Ok(()),
            // A first answer that got lost; or somebody else's in another organization.
            Err(e) if code(&e) == Some("EntityAlreadyExists") && self.alias().await?.as_deref() == Some(alias) => {
                Ok(())
            }
            Err(e) => Err(fault(format!("setting the alias {alias}"), e)),
        }
    }

    async fn role(&self, name: &str) -> Result<Option<SeenRole>, Fault> {
        iam::role(&self.client, name).await
    }

    async fn create_role(&self, name: &str, trust: &Value) -> Result<(), Fault> {
        let call = self.client.create_role().role_name(name).path(PATH).assume_role_policy_document(trust.to_string());
        match call.send().await {
            Ok(_) => Ok(()),
            // A first answer that got lost. That it is as it must be is read again at the end.
            Err(e) if code(&e) == Some("EntityAlreadyExists") => Ok(()),
            Err(e) => Err(fault(format!("making role {name}"), e)),
        }
    }

    async fn set_trust(&self, name: &str, trust: &Value) -> Result<(), Fault> {
        let call = self.client.update_assume_role_policy().role_name(name).policy_document(trust.to_string());
        call.send().await.map(drop).map_err(|e| fault(format!("writing the trust of role {name}"), e))
    }

    async fn put_inline(&self, role: &str, name: &str, document: &Value) -> Result<(), Fault> {
        let call =
            self.client.put_role_policy().role_name(role).policy_name(name).policy_document(document.to_string());
        call.send().await.map(drop).map_err(|e| fault(format!("writing policy {name} of role {role}"), e))
    }

    async fn delete_inline(&self, role: &str, name: &str) -> Result<(), Fault> {
        let call = self.client.delete_role_policy().role_name(role).policy_name(name);
        done_or_gone(call.send().await, || format!("deleting policy {name} of role {role}"))
    }

    async fn attach(&self, role: &str, arn: &str) -> Result<(), Fault> {
        let call = self.client.attach_role_policy().role_name(role).policy_arn(arn);
        call.send().await.map(drop).map_err(|e| fault(format!("attaching {arn} to role {role}"), e))
    }

    async fn detach(&self, role: &str, arn: &str) -> Result<(), Fault> {
        let call = self.client.detach_role_policy().role_name(role).policy_arn(arn);
        done_or_gone(call.send().await, || format!("detaching {arn} from role {role}"))
    }

    async fn delete_role(&self, name: &str) -> Result<(), Fault> {
        done_or_gone(self.client.delete_role().role_name(name).send().await, || format!("deleting role {name}"))
    }

    async fn policy(&self, arn: &str) -> Result<Option<Value>, Fault> {
        let policy = match self.client.get_policy().policy_arn(arn).send().await {
            Ok(answer) => answer.policy,
            Err(error) if code(&error) == Some("NoSuchEntity") => return Ok(None),
            Err(error) => return Err(fault(format!("reading policy {arn}"), error)),
        };
        let version = policy.and_then(|p| p.default_version_id).unwrap_or_default();
        iam::policy_version(&self.client, arn, &version).await.map(Some)
    }

    async fn create_policy(&self, name: &str, document: &str) -> Result<(), Fault> {
        let call = self.client.create_policy().policy_name(name).path(PATH).policy_document(document);
        match call.send().await {
            Ok(_) => Ok(()),
            Err(e) if code(&e) == Some("EntityAlreadyExists") => Ok(()),
            Err(e) => Err(fault(format!("making policy {name}"), e)),
        }
    }

    async fn rewrite_policy(&self, arn: &str, document: &str) -> Result<(), Fault> {
        // Five versions are the most (IAM quotas): the old ones go before there is a new one. The one that was in force stays as
        // an old one until the next rewriting, so that being cut off here leaves nothing else behind.
        let doing = || format!("rewriting policy {arn}");
        let versions = self.client.list_policy_versions().policy_arn(arn).into_paginator().items().send();
        let versions: Vec<_> = versions.try_collect().await.map_err(|e| fault(doing(), e))?;
        for version in versions.into_iter().filter(|version| !version.is_default_version) {
            let call = self.client.delete_policy_version().policy_arn(arn).set_version_id(version.version_id);
            done_or_gone(call.send().await, doing)?;
        }
        let call = self.client.create_policy_version().policy_arn(arn).policy_document(document).set_as_default(true);
        call.send().await.map_err(|e| fault(doing(), e))?;
        Ok(())
    }
}
