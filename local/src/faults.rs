//! Trouble on demand: throttles, 5xx, connections that break, answers that get lost, calls that are slow.

use crate::operation::Operation;
use serde::{Deserialize, Serialize};
use std::sync::Mutex;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Trouble {
    /// Refused as by a quota.
    Throttle,
    /// An internal error of the service; nothing was done.
    Error,
    /// The connection breaks before anything was done.
    Reset,
    /// It is done, and the answer never comes.
    LostAnswer,
    /// It takes longer.
    Slow,
}

/// One rule. What is left out matches everything.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// Service by its signing name.
    #[serde(default)]
    pub service: Option<String>,
    /// Operation.
    #[serde(default)]
    pub operation: Option<String>,
    /// The account that the call works in.
    #[serde(default)]
    pub account: Option<String>,
    /// What goes wrong.
    pub trouble: Trouble,
    /// In how many of the calls, 0 to 1.
    pub rate: f64,
    /// The same seed makes the same choices in the same order of calls.
    #[serde(default)]
    pub seed: u64,
    /// How much longer a slow call takes, in milliseconds of wall time.
    #[serde(default)]
    pub milliseconds: u64,
}

struct Rule {
    fault: Fault,
    chance: fastrand::Rng,
}

/// The rules that are in force.
#[derive(Default)]
pub struct Faults {
    rules: Mutex<Vec<Rule>>,
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Faults")
    }
}

impl Faults {
    /// Replaces all rules.
    pub fn set(&self, faults: Vec<Fault>) {
        let rules = faults.into_iter().map(|fault| Rule { chance: fastrand::Rng::with_seed(fault.seed), fault });
        *self.rules.lock().unwrap_or_else(|e| e.into_inner()) = rules.collect();
    }

    /// What goes wrong with this call: the first rule that matches and strikes.
    pub fn strike(&self, account: &str, operation: &Operation) -> Option<Fault> {
        let matches = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|w| w == is);
        let mut rules = self.rules.lock().unwrap_or_else(|e| e.into_inner());
        rules
            .iter_mut()
            .filter(|r| {
                matches(&r.fault.service, &operation.service)
                    && matches(&r.fault.operation, &operation.name)
                    && matches(&r.fault.account, account)
            })
            .find_map(|r| (r.chance.f64() < r.fault.rate).then(|| r.fault.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Protocol;

    fn fault(text: &str) -> Fault {
        serde_json::from_str(text).expect("a rule")
    }

    #[test]
    fn a_rule_strikes_where_it_matches_at_its_rate_and_the_same_seed_the_same_calls() {
        let call = |service: &str| Operation {
            service: service.into(),
            name: "MoveAccount".into(),
            protocol: Protocol::Json,
            labels: Default::default(),
        };
        let strikes = |seed: u64| {
            let faults = Faults::default();
            let rule = format!(r#"{{"service": "organizations", "trouble": "throttle", "rate": 0.1, "seed": {seed}}}"#);
            faults.set(vec![fault(&rule)]);
            assert!((0..100).all(|_| faults.strike("1", &call("iam")).is_none()));
            (0..1_000).map(|_| faults.strike("1", &call("organizations")).is_some()).collect::<Vec<_>>()
        };
        let first = strikes(7);
        assert!((60..140).contains(&first.iter().filter(|s| **s).count()));
        assert_eq!(first, strikes(7));
        assert_ne!(first, strikes(8));
    }

    #[test]
    fn a_rule_with_an_unknown_field_is_refused() {
        assert!(serde_json::from_str::<Fault>(r#"{"trouble": "throttle", "rate": 1, "servce": "s3"}"#).is_err());
    }
}
