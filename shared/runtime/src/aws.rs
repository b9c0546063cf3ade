//! AWS clients' configuration, roles in other accounts, and what an SDK error means.

use crate::Settings;
use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig, sts::AssumeRoleProvider};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use shared::fault::{Meaning, meaning};
use shared::names::{ManagementRole, MemberRole, access_role_arn};
use shared::{AccountId, Fault};
use std::time::Duration;

/// How often a call is tried, unless `AWS_MAX_ATTEMPTS` says otherwise. A sweep makes a thousand calls, and one that fails makes its
/// account unknown: with one call in eight refused for a while, three attempts (the SDK's) lose two calls in a thousand, six none.
const ATTEMPTS: u32 = 6;

/// Configuration of our own account, and of roles reached from it. Regional STS, standard retries.
#[derive(Clone, Debug)]
pub struct Aws {
    /// Our own account's.
    pub own: SdkConfig,
    settings: Settings,
}

impl Aws {
    /// Loads the configuration from the environment (or a profile), as every AWS tool does.
    pub async fn load(settings: &Settings) -> Self {
        let attempts = std::env::var("AWS_MAX_ATTEMPTS").ok().and_then(|n| n.parse().ok()).unwrap_or(ATTEMPTS);
        // The SDK's own backoff, by our clock.
        let retries = RetryConfig::standard()
            .with_max_attempts(attempts)
            .with_initial_backoff(settings.clock.wall(Duration::from_secs(1)))
            .with_max_backoff(settings.clock.wall(Duration::from_secs(20)));
        let own = aws_config::defaults(BehaviorVersion::latest()).retry_config(retries).load().await;
        Self { own, settings: settings.clone() }
    }

    /// The configuration with a role of ours in the management account.
    pub async fn management(&self, role: ManagementRole) -> SdkConfig {
        let arn = self.settings.names.management_role_arn(&self.settings.management, role);
        self.with_role(&self.own, arn, "koza").await
    }

    /// The configuration with a role of ours in a member account. `session` is seen in the account's CloudTrail.
    pub async fn member(&self, account: &AccountId, role: MemberRole, session: &str) -> SdkConfig {
        let arn = self.settings.names.member_role_arn(account, role);
        self.with_role(&self.own, arn, session).await
    }

    /// The configuration with the access role that AWS made in a new account: through the management account,
    /// which is the only one that the role trusts.
    pub async fn access_role(&self, account: &AccountId, session: &str) -> SdkConfig {
        let writer = self.management(ManagementRole::PoolWriter).await;
        self.with_role(&writer, access_role_arn(account), session).await
    }

    /// The same configuration in another Region.
    pub fn in_region(config: &SdkConfig, region: &str) -> SdkConfig {
        config.to_builder().region(Region::new(region.to_owned())).build()
    }

    /// Which account the credentials of a configuration belong to.
    pub async fn identity(config: &SdkConfig) -> Result<AccountId, Fault> {
        let answer = aws_sdk_sts::Client::new(config)
            .get_caller_identity()
            .send()
            .await
            .map_err(|e| fault("asking whose credentials these are", e))?;
        answer.account.map(AccountId).ok_or_else(|| Fault::broken("GetCallerIdentity answered without an account"))
    }

    async fn with_role(&self, from: &SdkConfig, arn: String, session: &str) -> SdkConfig {
        // RoleSessionName takes 2-64 of these characters.
        let session: String = session
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "+=,.@-".contains(c) { c } else { '-' })
            .take(64)
            .collect();
        let provider = AssumeRoleProvider::builder(arn).session_name(session).configure(from).build().await;
        from.to_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
    }
}

/// The AWS error code of an SDK error. `None`: AWS did not answer (or the request could not be built).
pub fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    match error {
        SdkError::ServiceError(service) => Some(service.err().code().unwrap_or("Unknown")),
        _ => None,
    }
}

/// Code and message of an SDK error in one line, for people.
pub fn text<E: ProvideErrorMetadata + std::error::Error + 'static, R: std::fmt::Debug>(
    error: &SdkError<E, R>,
) -> String {
    match error {
        SdkError::ServiceError(service) => {
            let (code, message) = (service.err().code(), service.err().message());
            format!("{}: {}", code.unwrap_or("Unknown"), message.unwrap_or(""))
        }
        other => {
            let mut text = other.to_string();
            let mut below = std::error::Error::source(other);
            while let Some(error) = below {
                text.push_str(&format!(": {error}"));
                below = error.source();
            }
            text
        }
    }
}

/// An SDK error as a fault, by its code. Keeps the SDK's error below it.
pub fn fault<E, R>(doing: impl Into<String>, error: SdkError<E, R>) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    // Credentials that cannot be had come as a construction or dispatch failure; a role that may not be taken is refused,
    // not a passing trouble.
    let words = text(&error);
    let denied = code(&error).is_none() && words.contains("AccessDenied");
    let kind = match meaning(code(&error)) {
        _ if denied => Fault::Refused,
        Meaning::Transient => Fault::Transient,
        Meaning::Refused => Fault::Refused,
        Meaning::Exists | Meaning::Blocked => Fault::Conflict,
        Meaning::Gone | Meaning::Absent | Meaning::Other => Fault::Broken,
    };
    Fault::because(kind, format!("{}: {words}", doing.into()), error)
}
