//! The environment. Wrong settings stop the start, not the night.

use shared::{AccountId, Fault, Names};

/// What the template sets for every function.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names of this installation.
    pub names: Names,
    /// The records bucket.
    pub records: String,
    /// The organization's management account.
    pub management: AccountId,
    /// The account that Koza runs in.
    pub operations: AccountId,
    /// IAM Identity Center's instance ARN.
    pub identity_center: String,
    /// Its identity store.
    pub identity_store: String,
    /// The alerts topic.
    pub alerts: String,
    /// Accounts that are never touched: the management and operations accounts and the installation's own list.
    pub never_touch: Vec<AccountId>,
    /// How much faster than the world's the clock runs. 1 on AWS.
    pub clock: crate::Clock,
}

impl Settings {
    /// Reads the environment; all that is missing is told at once.
    pub fn read() -> Result<Self, Fault> {
        let mut missing = Vec::new();
        let mut get = |name: &str| match std::env::var(name) {
            Ok(value) if !value.is_empty() => value,
            _ => {
                missing.push(name.to_owned());
                String::new()
            }
        };
        let installation = get("KOZA_INSTALLATION");
        let email = get("KOZA_SEAT_EMAIL");
        let records = get("KOZA_RECORDS");
        let management = AccountId(get("KOZA_MANAGEMENT_ACCOUNT"));
        let operations = AccountId(get("KOZA_OPERATIONS_ACCOUNT"));
        let identity_center = get("KOZA_IDENTITY_CENTER");
        let identity_store = get("KOZA_IDENTITY_STORE");
        let alerts = get("KOZA_ALERTS");
        if !missing.is_empty() {
            return Err(Fault::broken(format!("the function's environment lacks {}", missing.join(", "))));
        }
        let speed = std::env::var("KOZA_CLOCK_SPEED").unwrap_or_else(|_| "1".to_owned());
        let speed = speed.parse().map_err(|e| Fault::because(Fault::Broken, format!("KOZA_CLOCK_SPEED={speed}"), e))?;
        let mut never_touch = vec![management.clone(), operations.clone()];
        never_touch.extend(
            std::env::var("KOZA_NEVER_TOUCH")
                .unwrap_or_default()
                .split(',')
                .map(str::trim)
                .filter(|id| !id.is_empty())
                .map(AccountId::from),
        );
        if let Some(wrong) = never_touch.iter().find(|id| !id.is_valid()) {
            return Err(Fault::broken(format!("{wrong} is not an account id")));
        }
        Ok(Self {
            names: Names::new(installation, email),
            records,
            management,
            operations,
            identity_center,
            identity_store,
            alerts,
            never_touch,
            clock: crate::Clock::new(speed),
        })
    }
}
