//! Whoever calls.

use iam_rs::IAMPolicy;
use std::sync::Arc;

/// Whoever signed a request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Account.
    pub account: String,
    /// ARN of the user or role, with its path: `aws:PrincipalArn`.
    pub arn: String,
    /// ARN as `GetCallerIdentity` answers it.
    pub session: String,
    /// The role whose session this is; `None`: an administrator.
    pub role: Option<Session>,
}

/// A role's session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Id of the role when the session began (`AROA…`), if it was asked for: a role that is made again has another.
    pub role_id: Option<String>,
    /// What the session was bounded to when it was taken.
    pub policy: Option<Arc<IAMPolicy>>,
}

impl Caller {
    /// An administrator: a user with every right.
    pub fn administrator(account: &str) -> Self {
        let arn = format!("arn:aws:iam::{account}:user/administrator");
        Self { account: account.to_owned(), session: arn.clone(), arn, role: None }
    }

    /// A role by its ARN. `None`: it is not an ARN of a role.
    pub fn role(arn: &str, session: &str, role: Session) -> Option<Self> {
        let account = arn.split(':').nth(4)?.to_owned();
        let name = name_of(arn);
        let session = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
        arn.contains(":role/").then(|| Self { account, arn: arn.to_owned(), session, role: Some(role) })
    }
}

/// The last part of a role's ARN.
pub fn name_of(role_arn: &str) -> &str {
    role_arn.rsplit('/').next().unwrap_or_default()
}
