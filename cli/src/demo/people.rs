//! Learners and administrators, each with credentials that AWS's own APIs gave.

use crate::workspace;
use anyhow::{Context, anyhow, bail};
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use koza_local::{OPERATIONS_KEY, REGION};
use std::time::{Duration, SystemTime};

/// A learner who has signed in to the access portal, with what the portal shows.
#[derive(Clone, Debug)]
pub struct Learner {
    /// The accounts that the portal lists.
    pub accounts: Vec<String>,
    /// Credentials of the one account and the one permission set.
    pub config: SdkConfig,
}

/// Signs a user in to the access portal and takes the credentials of its only account. What the portal lists is a proof
/// of access that owes nothing to our own reading.
pub async fn sign_in(endpoint: &str, user: &str) -> anyhow::Result<Learner> {
    let token = koza_local::sign_in(endpoint, user).await?;
    let portal = aws_sdk_sso::Client::from_conf(
        aws_sdk_sso::Config::builder()
            .behavior_version(aws_sdk_sso::config::BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .region(aws_sdk_sso::config::Region::new(REGION))
            .build(),
    );
    let listed = portal
        .list_accounts()
        .access_token(&token)
        .send()
        .await
        .map_err(|e| anyhow!("{user} cannot list accounts: {}", runtime::text(&e)))?;
    let accounts: Vec<String> = listed.account_list().iter().filter_map(|a| a.account_id.clone()).collect();
    let [account] = accounts.as_slice() else {
        bail!("{user} sees {} accounts", accounts.len());
    };
    let roles = portal
        .list_account_roles()
        .access_token(&token)
        .account_id(account)
        .send()
        .await
        .map_err(|e| anyhow!("{user} cannot list roles: {}", runtime::text(&e)))?;
    let [role] = roles.role_list() else {
        bail!("{user} sees {} permission sets", roles.role_list().len());
    };
    let answer = portal
        .get_role_credentials()
        .access_token(&token)
        .account_id(account)
        .role_name(role.role_name().unwrap_or_default())
        .send()
        .await
        .map_err(|e| anyhow!("{user} gets no credentials: {}", runtime::text(&e)))?;
    let given = answer.role_credentials().context("no credentials in the answer")?;
    let credentials = Credentials::new(
        given.access_key_id().unwrap_or_default(),
        given.secret_access_key().unwrap_or_default(),
        given.session_token().map(str::to_owned),
        Some(SystemTime::now() + Duration::from_secs(3600)),
        "access-portal",
    );
    Ok(Learner { config: workspace::with_credentials(endpoint, credentials).await, accounts })
}

/// The configuration of a function of ours: what it calls, it calls with the rights of its own role.
pub async fn function(endpoint: &str, name: &str) -> anyhow::Result<SdkConfig> {
    let operations = workspace::config(endpoint, OPERATIONS_KEY).await;
    let function = aws_sdk_lambda::Client::new(&operations)
        .get_function_configuration()
        .function_name(name)
        .send()
        .await
        .map_err(|e| anyhow!("function {name} cannot be read: {}", runtime::text(&e)))?;
    let role = function.role().context("a function without a role")?;
    Ok(workspace::config(endpoint, &koza_local::function_key(role)).await)
}

/// The configuration of a role that `from` has the right to assume.
pub async fn with_role(endpoint: &str, from: &SdkConfig, role_arn: &str) -> anyhow::Result<SdkConfig> {
    let answer = aws_sdk_sts::Client::new(from)
        .assume_role()
        .role_arn(role_arn)
        .role_session_name("demo")
        .send()
        .await
        .map_err(|e| anyhow!("{role_arn} cannot be assumed: {}", runtime::text(&e)))?;
    let given = answer.credentials().context("no credentials in the answer")?;
    let credentials = Credentials::new(
        given.access_key_id(),
        given.secret_access_key(),
        Some(given.session_token().to_owned()),
        None,
        "assumed-role",
    );
    Ok(workspace::with_credentials(endpoint, credentials).await)
}
