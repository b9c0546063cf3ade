//! Whoever calls.

/// Whoever signed a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Account.
    pub account: String,
    /// ARN of the user or role, with its path: `aws:PrincipalArn`.
    pub arn: String,
    /// ARN as `GetCallerIdentity` answers it.
    pub session: String,
}
