//! Trouble on demand: throttles, 5xx, connections that break, answers that get lost, calls that are slow.

use crate::OPERATIONS;
use crate::access::caller::Caller;
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
    /// The caller is cut off: the write that it strikes is done and its answer lost, and from then on every matching call
    /// breaks, as if the caller had stopped there. `after` counts writes.
    Cut,
    /// A list in JSON is answered empty, which AWS never does: breaks what rests on looking first. For tests of tests.
    Blind,
    /// What AWS refuses the second time is done again, as the emulators would. For tests of tests.
    Lenient,
}

/// One rule. What is left out matches everything.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// Service by its signing name.
    #[serde(default)]
    pub service: Option<String>,
    /// Operation; with `*` at its end all that begin so.
    #[serde(default)]
    pub operation: Option<String>,
    /// The account that the call works in.
    #[serde(default)]
    pub account: Option<String>,
    /// A part of the caller's ARN (`role/koza/`).
    #[serde(default)]
    pub principal: Option<String>,
    /// What goes wrong.
    pub trouble: Trouble,
    /// In how many of the calls, 0 to 1.
    pub rate: f64,
    /// The same seed makes the same choices in the same order of calls.
    #[serde(default)]
    pub seed: u64,
    /// For a cut: whether writes of records and alerts count, or all others; all of them without this.
    #[serde(default)]
    pub records: Option<bool>,
    /// So many matching calls pass before it strikes.
    #[serde(default)]
    pub after: u64,
    /// It strikes so often and no more.
    #[serde(default)]
    pub times: Option<u64>,
    /// How much longer a slow call takes, in milliseconds of wall time.
    #[serde(default)]
    pub milliseconds: u64,
}

struct Rule {
    fault: Fault,
    chance: fastrand::Rng,
    matched: u64,
    struck: u64,
}

impl Rule {
    fn matches(&self, caller: &Caller, operation: &Operation) -> bool {
        let Fault { service, operation: name, account, principal, .. } = &self.fault;
        service.as_deref().is_none_or(|s| s == operation.service)
            && name.as_deref().is_none_or(|n| match n.strip_suffix('*') {
                Some(start) => operation.name.starts_with(start),
                None => n == operation.name,
            })
            && account.as_deref().is_none_or(|a| a == caller.account)
            && principal.as_deref().is_none_or(|p| caller.arn.contains(p))
    }

    /// What it does to this matching call.
    fn strike(&mut self, caller: &Caller, operation: &Operation) -> Option<Fault> {
        if self.fault.trouble == Trouble::Cut {
            return self.cut(caller, operation);
        }
        self.matched += 1;
        let struck = self.matched > self.fault.after
            && self.fault.times.is_none_or(|times| self.struck < times)
            && self.chance.f64() < self.fault.rate;
        self.struck += u64::from(struck);
        struck.then(|| self.fault.clone())
    }

    fn cut(&mut self, caller: &Caller, operation: &Operation) -> Option<Fault> {
        let is_record = caller.account == OPERATIONS && matches!(operation.service.as_str(), "s3" | "sns");
        let counts = !operation.is_read() && self.fault.records.is_none_or(|records| records == is_record);
        let trouble = match (self.struck > 0, counts) {
            (true, _) => Trouble::Reset,
            (false, false) => return None,
            (false, true) => {
                self.matched += 1;
                if self.matched <= self.fault.after {
                    return None;
                }
                Trouble::LostAnswer
            }
        };
        self.struck += 1;
        Some(Fault { trouble, ..self.fault.clone() })
    }
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
        let rule = |fault: Fault| Rule { chance: fastrand::Rng::with_seed(fault.seed), matched: 0, struck: 0, fault };
        *self.rules.lock().unwrap_or_else(|e| e.into_inner()) = faults.into_iter().map(rule).collect();
    }

    /// What goes wrong with this call: the first rule that matches and strikes.
    pub fn strike(&self, caller: &Caller, operation: &Operation) -> Option<Fault> {
        let mut rules = self.rules.lock().unwrap_or_else(|e| e.into_inner());
        let mut matching = rules.iter_mut().filter(|rule| rule.matches(caller, operation));
        matching.find_map(|rule| rule.strike(caller, operation))
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
            assert!((0..100).all(|_| faults.strike(&Caller::administrator("1"), &call("iam")).is_none()));
            (0..1_000)
                .map(|_| faults.strike(&Caller::administrator("1"), &call("organizations")).is_some())
                .collect::<Vec<_>>()
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

    #[test]
    fn a_call_is_cut_off_after_so_many_and_only_for_whom_it_is_meant() {
        let faults = Faults::default();
        let call = Operation {
            service: "iam".into(),
            name: "CreateRole".into(),
            protocol: Protocol::Query,
            labels: Default::default(),
        };
        let lost = r#"{"principal": "user/", "operation": "Create*", "trouble": "lostAnswer", "rate": 1, "after": 2, "times": 1}"#;
        let cut = r#"{"principal": "user/", "trouble": "reset", "rate": 1, "after": 2}"#;
        faults.set(vec![fault(lost), fault(cut)]);
        let who = Caller::administrator("1");
        let strikes: Vec<_> = (0..5).map(|_| faults.strike(&who, &call).map(|f| f.trouble)).collect();
        // Both rules count the calls that reach them: the third is lost, and the cut-off sees the others.
        assert_eq!(strikes[..3], [None, None, Some(Trouble::LostAnswer)]);
        assert_eq!(strikes[3..], [Some(Trouble::Reset), Some(Trouble::Reset)]);
        let function = Caller { arn: "arn:aws:iam::1:role/koza/f".to_owned(), ..Caller::administrator("1") };
        assert!(faults.strike(&function, &call).is_none());
    }

    #[test]
    fn a_cut_loses_the_answer_of_one_write_and_breaks_everything_after_it() {
        let call = |name: &str| Operation {
            service: "iam".into(),
            name: name.into(),
            protocol: Protocol::Query,
            labels: Default::default(),
        };
        let faults = Faults::default();
        faults.set(vec![fault(r#"{"trouble": "cut", "rate": 1, "after": 1}"#)]);
        let who = Caller::administrator("1");
        let strike = |name: &str| faults.strike(&who, &call(name)).map(|f| f.trouble);
        assert_eq!([strike("GetRole"), strike("CreateRole"), strike("ListRoles")], [None, None, None]);
        assert_eq!(strike("AttachRolePolicy"), Some(Trouble::LostAnswer));
        assert_eq!([strike("GetRole"), strike("CreateRole")], [Some(Trouble::Reset), Some(Trouble::Reset)]);
    }
}
