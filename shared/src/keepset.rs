//! What stays in a seat, and exactly how it must look. A learner could have edited it, and the next learner would
//! inherit the back door: a kept thing that differs makes the account dirty.

use crate::names::{ACCESS_ROLE, IDENTITY_CENTER_PATH, MemberRole, Names};
use crate::policies;
use crate::{AccountId, Seat};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The kept things of one seat.
#[derive(Clone, Debug, PartialEq)]
pub struct KeepSet {
    keeper: String,
    roles: BTreeMap<String, KeptRole>,
    policies: BTreeMap<String, Option<Value>>,
}

/// How a kept role must look.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptRole {
    /// Its trust policy.
    pub trust: Value,
    /// Its inline policies by name.
    pub inline: BTreeMap<String, Value>,
    /// ARNs of the managed policies attached to it; `None`: AWS's own affair.
    pub attached: Option<BTreeSet<String>>,
}

/// A role as it was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeenRole {
    /// ARN with path.
    pub arn: String,
    /// Trust policy.
    pub trust: Value,
    /// Inline policies by name.
    pub inline: BTreeMap<String, Value>,
    /// ARNs of attached managed policies.
    pub attached: BTreeSet<String>,
    /// Permissions boundary.
    pub boundary: Option<String>,
}

/// What the keep-set says of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Not ours: it goes.
    No,
    /// It stays, and is as it must be.
    AsExpected,
    /// It stays, but was edited; how.
    Edited(String),
}

impl KeepSet {
    /// The keep-set of a seat. Without `learner_policies` their content is not compared (a plan without admission).
    pub fn of(
        names: &Names,
        management: &AccountId,
        operations: &AccountId,
        seat: &Seat,
        learner_policies: Option<&[Value]>,
    ) -> Self {
        let account = &seat.account;
        let mut roles = BTreeMap::new();
        for role in MemberRole::ALL {
            roles.insert(
                names.member_role_arn(account, role),
                KeptRole {
                    trust: policies::member_trust(operations, account, role),
                    inline: policies::member_policy(names, account, role)
                        .map(|p| (role.word().to_owned(), p))
                        .into_iter()
                        .collect(),
                    attached: Some(policies::member_attached(names, account, role)),
                },
            );
        }
        roles.insert(
            format!("arn:aws:iam::{account}:role/{ACCESS_ROLE}"),
            KeptRole {
                trust: json!({"Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow",
                    "Principal": {"AWS": format!("arn:aws:iam::{management}:root")},
                    "Action": "sts:AssumeRole"
                }]}),
                inline: BTreeMap::new(),
                attached: None,
            },
        );
        let policies = (1..=crate::names::LEARNER_POLICIES)
            .map(|n| {
                let expected = learner_policies.and_then(|p| p.get(n - 1)).cloned();
                (names.learner_policy_arn(account, n), expected)
            })
            .collect();
        Self { keeper: names.member_role_arn(account, MemberRole::Keeper), roles, policies }
    }

    /// ARN of the seat's keeper.
    pub fn keeper(&self) -> &str {
        &self.keeper
    }

    /// How a role of ours must look.
    pub fn role(&self, arn: &str) -> Option<&KeptRole> {
        self.roles.get(arn)
    }

    /// Whether a role could be kept, by its ARN alone: the cheap question before its policies are read.
    pub fn knows_role(&self, arn: &str) -> bool {
        self.roles.contains_key(arn)
    }

    /// Whether AWS owns the role: nobody but AWS can make or edit one under these paths.
    pub fn is_aws_own(arn: &str) -> bool {
        [IDENTITY_CENTER_PATH, "/aws-service-role/"].iter().any(|path| arn.contains(&format!(":role{path}")))
    }

    /// What to do with a role.
    pub fn judge_role(&self, seen: &SeenRole) -> Keep {
        if Self::is_aws_own(&seen.arn) {
            return Keep::AsExpected;
        }
        let Some(expected) = self.roles.get(&seen.arn) else {
            return Keep::No;
        };
        let mut edits = Vec::new();
        if !same(&expected.trust, &seen.trust) {
            edits.push("its trust policy");
        }
        if let Some(attached) = &expected.attached {
            if attached != &seen.attached {
                edits.push("its attached policies");
            }
            let same_inline = expected.inline.len() == seen.inline.len()
                && expected.inline.iter().all(|(name, doc)| seen.inline.get(name).is_some_and(|s| same(doc, s)));
            if !same_inline {
                edits.push("its inline policies");
            }
        }
        if seen.boundary.is_some() {
            edits.push("its permissions boundary");
        }
        match edits.is_empty() {
            true => Keep::AsExpected,
            false => Keep::Edited(format!("{} was edited", edits.join(" and "))),
        }
    }

    /// Whether a customer managed policy is kept, by its ARN.
    pub fn knows_policy(&self, arn: &str) -> bool {
        self.policies.contains_key(arn)
    }

    /// What to do with a customer managed policy whose default version says `document`.
    pub fn judge_policy(&self, arn: &str, document: &Value) -> Keep {
        match self.policies.get(arn) {
            None => Keep::No,
            Some(Some(expected)) if !same(expected, document) => {
                Keep::Edited("its default version was edited".to_owned())
            }
            Some(_) => Keep::AsExpected,
        }
    }
}

/// Whether two policy documents say the same: a single string and a list of one are equal, order of lists is not.
fn same(a: &Value, b: &Value) -> bool {
    fn normal(value: &Value) -> Value {
        match value {
            Value::Array(items) => {
                let mut items: Vec<Value> = items.iter().map(normal).collect();
                if items.len() == 1 {
                    return items.remove(0);
                }
                items.sort_by_key(Value::to_string);
                Value::Array(items)
            }
            Value::Object(map) => {
                let sorted: BTreeMap<_, _> = map.iter().map(|(k, v)| (k.clone(), normal(v))).collect();
                Value::Object(sorted.into_iter().collect())
            }
            other => other.clone(),
        }
    }
    normal(a) == normal(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keepset() -> (KeepSet, SeenRole) {
        let names = Names::new("koza", "aws+{seat}@example.com");
        let seat = Seat { seat: names.seat(1), account: "111111111111".into() };
        let set = KeepSet::of(&names, &"999999999999".into(), &"888888888888".into(), &seat, None);
        let arn = names.member_role_arn(&seat.account, MemberRole::Operator);
        let kept = set.role(&arn).expect("ours").clone();
        let seen = SeenRole {
            arn,
            trust: kept.trust,
            inline: kept.inline,
            attached: kept.attached.unwrap_or_default(),
            boundary: None,
        };
        (set, seen)
    }

    #[test]
    fn a_kept_role_is_kept_only_as_it_must_be() {
        let (set, seen) = keepset();
        assert_eq!(set.judge_role(&seen), Keep::AsExpected);
        let mut edited = seen.clone();
        edited.trust["Statement"][0]["Principal"] = json!({"AWS": "*"});
        assert_eq!(set.judge_role(&edited), Keep::Edited("its trust policy was edited".into()));
        let mut edited = seen.clone();
        edited.attached.insert("arn:aws:iam::aws:policy/AdministratorAccess".into());
        assert!(matches!(set.judge_role(&edited), Keep::Edited(_)));
        let mut edited = seen;
        edited.inline.clear();
        assert!(matches!(set.judge_role(&edited), Keep::Edited(_)));
    }

    #[test]
    fn a_name_like_ours_on_another_path_is_not_kept() {
        let (set, mut seen) = keepset();
        seen.arn = "arn:aws:iam::111111111111:role/koza-operator".into();
        assert_eq!(set.judge_role(&seen), Keep::No);
        seen.arn = "arn:aws:iam::111111111111:role/koza/koza-other".into();
        assert_eq!(set.judge_role(&seen), Keep::No);
    }
}
