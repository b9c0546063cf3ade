//! Reading IAM of one account as the keep-set wants to see it: used where roles are made and where they are swept.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::RoleDetail;
use runtime::{code, fault};
use serde_json::Value;
use shared::Fault;
use shared::keepset::SeenRole;
use std::collections::{BTreeMap, BTreeSet};

/// A policy document as IAM answers it: percent-encoded JSON. What is no JSON is kept as text, and equals nothing.
pub fn document(text: &str) -> Value {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
    serde_json::from_str(&decoded).unwrap_or_else(|_| Value::String(decoded.into_owned()))
}

/// A role out of `GetAccountAuthorizationDetails`, as a keep-set compares it.
pub fn seen(role: &RoleDetail) -> SeenRole {
    let attached = role.attached_managed_policies().iter().filter_map(|p| p.policy_arn.clone());
    let inline = role
        .role_policy_list()
        .iter()
        .filter_map(|p| Some((p.policy_name.clone()?, document(p.policy_document.as_deref().unwrap_or_default()))));
    SeenRole {
        arn: role.arn.clone().unwrap_or_default(),
        trust: document(role.assume_role_policy_document.as_deref().unwrap_or_default()),
        boundary: role.permissions_boundary.as_ref().and_then(|b| b.permissions_boundary_arn.clone()),
        inline: inline.collect(),
        attached: attached.collect(),
    }
}

/// A role with everything that a keep-set compares, or `None` if there is none of that name.
pub async fn role(client: &Client, name: &str) -> Result<Option<SeenRole>, Fault> {
    let role = match client.get_role().role_name(name).send().await {
        Ok(answer) => answer.role,
        Err(error) if code(&error) == Some("NoSuchEntity") => None,
        Err(error) => return Err(fault(format!("reading role {name}"), error)),
    };
    let Some(role) = role else { return Ok(None) };
    let mut seen = SeenRole {
        arn: role.arn,
        trust: document(role.assume_role_policy_document.as_deref().unwrap_or_default()),
        boundary: role.permissions_boundary.and_then(|b| b.permissions_boundary_arn),
        inline: BTreeMap::new(),
        attached: BTreeSet::new(),
    };
    for policy in inline(client, name).await? {
        let answer = client
            .get_role_policy()
            .role_name(name)
            .policy_name(&policy)
            .send()
            .await
            .map_err(|e| fault(format!("reading policy {policy} of role {name}"), e))?;
        seen.inline.insert(policy, document(&answer.policy_document));
    }
    seen.attached = attached(client, name).await?;
    Ok(Some(seen))
}

/// Names of a role's inline policies.
pub async fn inline(client: &Client, role: &str) -> Result<Vec<String>, Fault> {
    let pages = client.list_role_policies().role_name(role).into_paginator().items().send();
    pages.try_collect().await.map_err(|e| fault(format!("listing inline policies of role {role}"), e))
}

/// ARNs of the managed policies that are attached to a role.
pub async fn attached(client: &Client, role: &str) -> Result<BTreeSet<String>, Fault> {
    let mut pages = client.list_attached_role_policies().role_name(role).into_paginator().items().send();
    let mut arns = BTreeSet::new();
    while let Some(policy) = pages.next().await {
        let policy = policy.map_err(|e| fault(format!("listing policies attached to role {role}"), e))?;
        arns.extend(policy.policy_arn);
    }
    Ok(arns)
}

/// What a version of a customer managed policy says.
pub async fn policy_version(client: &Client, arn: &str, version: &str) -> Result<Value, Fault> {
    let answer = client
        .get_policy_version()
        .policy_arn(arn)
        .version_id(version)
        .send()
        .await
        .map_err(|e| fault(format!("reading policy {arn}"), e))?;
    let text = answer.policy_version.and_then(|v| v.document).unwrap_or_default();
    Ok(document(&text))
}
