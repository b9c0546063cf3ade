//! What takes AWS time: accounts, assignments and distributions are under way for a while after they were asked for.
//! The emulators do it at once, so the gateway hides what is not done yet.

use crate::answer::{Refusal, element};
use crate::operation::Operation;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long one creation of an account takes, in seconds of AWS time. Not published; a setting.
const ACCOUNT: f64 = 40.0;
/// How long one assignment takes (measured: 3-4 s).
const ASSIGNMENT: f64 = 3.5;
/// How long a distribution takes to be deployed everywhere (5-15 min).
const DISTRIBUTION: f64 = 300.0;
/// Creations of accounts under way at once ("Quotas for AWS Organizations").
const MOST_ACCOUNTS: usize = 5;
/// Assignments under way at once ("Quotas for IAM Identity Center").
const MOST_ASSIGNMENTS: usize = 15;

/// What is under way.
#[derive(Debug)]
pub struct Asynchrony {
    speed: f64,
    /// Ids of accounts, of requests for assignments, of distributions; until when.
    under_way: Mutex<HashMap<(Kind, String), Instant>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Account,
    Assignment,
    Distribution,
}

impl Kind {
    fn seconds(self) -> f64 {
        match self {
            Kind::Account => ACCOUNT,
            Kind::Assignment => ASSIGNMENT,
            Kind::Distribution => DISTRIBUTION,
        }
    }
}

impl Asynchrony {
    /// `speed`: how much faster than AWS's the clock runs.
    pub fn new(speed: f64) -> Self {
        Self { speed, under_way: Mutex::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(Kind, String), Instant>> {
        let mut under_way = self.under_way.lock().unwrap_or_else(|e| e.into_inner());
        let now = Instant::now();
        under_way.retain(|_, until| *until > now);
        under_way
    }

    fn begin(&self, kind: Kind, id: &str) {
        let until = Instant::now() + Duration::from_secs_f64(kind.seconds() / self.speed);
        self.lock().insert((kind, id.to_owned()), until);
    }

    fn is_under_way(&self, kind: Kind, id: &str) -> bool {
        self.lock().contains_key(&(kind, id.to_owned()))
    }

    fn count(&self, kind: Kind) -> usize {
        self.lock().keys().filter(|(k, _)| *k == kind).count()
    }

    /// Whether this account is still being made: nobody can do anything in it.
    pub fn is_unborn(&self, account: &str) -> bool {
        self.is_under_way(Kind::Account, account)
    }

    /// Whether this request for an assignment is still being worked on.
    pub fn is_being_assigned(&self, request: &str) -> bool {
        self.is_under_way(Kind::Assignment, request)
    }

    /// Why AWS would refuse the call because of what is under way.
    pub fn objection(&self, operation: &Operation) -> Option<Refusal> {
        match (operation.service.as_str(), operation.name.as_str()) {
            ("organizations", "CreateAccount") if self.count(Kind::Account) >= MOST_ACCOUNTS => {
                Some(Refusal::new("TooManyRequestsException", "Too many accounts are being created"))
            }
            ("sso", "CreateAccountAssignment" | "DeleteAccountAssignment")
                if self.count(Kind::Assignment) >= MOST_ASSIGNMENTS =>
            {
                Some(Refusal::new("ThrottlingException", "Too many assignments are in progress"))
            }
            ("cloudfront", "DeleteDistribution" | "UpdateDistribution")
                if operation.labels.get("Id").is_some_and(|id| self.is_under_way(Kind::Distribution, id)) =>
            {
                Some(Refusal {
                    status: 409,
                    ..Refusal::new("DistributionNotDisabled", "The distribution is still being deployed.")
                })
            }
            _ => None,
        }
    }

    /// Whether the answer of this operation has to be read and changed.
    pub fn concerns(operation: &Operation) -> bool {
        match operation.service.as_str() {
            "organizations" => {
                let name = operation.name.as_str();
                name.starts_with("ListAccounts") || name.contains("CreateAccount") || name == "DescribeAccount"
            }
            "cloudfront" => operation.name.contains("Distribution"),
            "sso" => {
                operation.name.contains("AccountAssignmentCreationStatus")
                    || operation.name.contains("AccountAssignment")
            }
            _ => false,
        }
    }

    /// The answer as AWS would give it now. Begins what the call began.
    pub fn seen(&self, operation: &Operation, answer: &str) -> Option<String> {
        match (operation.service.as_str(), operation.name.as_str()) {
            ("organizations", name) => self.organization(name, answer),
            ("cloudfront", name) => Some(self.distributions(name, operation.labels.get("Id"), answer)),
            ("sso", "CreateAccountAssignment" | "DeleteAccountAssignment") => {
                let status: Value = serde_json::from_str(answer).ok()?;
                let request = status.as_object()?.values().find_map(|s| s["RequestId"].as_str())?;
                self.begin(Kind::Assignment, request);
                None
            }
            ("sso", "DescribeAccountAssignmentCreationStatus" | "DescribeAccountAssignmentDeletionStatus") => {
                let mut status: Value = serde_json::from_str(answer).ok()?;
                for value in status.as_object_mut()?.values_mut() {
                    let under_way = value["RequestId"].as_str().is_some_and(|id| self.is_being_assigned(id));
                    value["Status"] = json!(if under_way { "IN_PROGRESS" } else { "SUCCEEDED" });
                }
                Some(status.to_string())
            }
            _ => None,
        }
    }

    fn organization(&self, operation: &str, answer: &str) -> Option<String> {
        let mut answer: Value = serde_json::from_str(answer).ok()?;
        if operation == "CreateAccount" {
            let account = answer["CreateAccountStatus"]["AccountId"].as_str()?.to_owned();
            self.begin(Kind::Account, &account);
        }
        if let Some(accounts) = answer.get_mut("Accounts").and_then(Value::as_array_mut) {
            accounts.retain(|a| !a["Id"].as_str().is_some_and(|id| self.is_unborn(id)));
        }
        let hide = |status: &mut Value| {
            if status["AccountId"].as_str().is_some_and(|id| self.is_unborn(id)) {
                status["State"] = json!("IN_PROGRESS");
                if let Some(status) = status.as_object_mut() {
                    status.remove("AccountId");
                    status.remove("CompletedTimestamp");
                }
            }
        };
        if let Some(status) = answer.get_mut("CreateAccountStatus") {
            hide(status);
        }
        answer.get_mut("CreateAccountStatuses").and_then(Value::as_array_mut).into_iter().flatten().for_each(hide);
        Some(answer.to_string())
    }

    fn distributions(&self, operation: &str, id: Option<&String>, answer: &str) -> String {
        let part = |text: &str| -> String {
            let own = element(text, "Id").map(str::to_owned);
            let of = id.cloned().or(own).unwrap_or_default();
            match element(text, "Status") {
                Some(status) if self.is_under_way(Kind::Distribution, &of) => {
                    text.replacen(&format!("<Status>{status}</Status>"), "<Status>InProgress</Status>", 1)
                }
                Some(status) => text.replacen(&format!("<Status>{status}</Status>"), "<Status>Deployed</Status>", 1),
                None => text.to_owned(),
            }
        };
        match operation {
            "CreateDistribution" | "UpdateDistribution" => {
                if let Some(id) = id.cloned().or_else(|| element(answer, "Id").map(str::to_owned)) {
                    self.begin(Kind::Distribution, &id);
                }
                part(answer)
            }
            "GetDistribution" => part(answer),
            "ListDistributions" => {
                let parts: Vec<String> = answer.split("<DistributionSummary>").map(part).collect();
                parts.join("<DistributionSummary>")
            }
            _ => answer.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Protocol;

    fn operation(service: &str, name: &str) -> Operation {
        Operation { service: service.into(), name: name.into(), protocol: Protocol::Json, labels: HashMap::default() }
    }

    #[test]
    fn an_account_is_hidden_until_it_is_made_and_no_more_than_five_are_under_way() {
        let slow = Asynchrony::new(1.0);
        let create = operation("organizations", "CreateAccount");
        for n in 0..5 {
            assert!(slow.objection(&create).is_none());
            let made = json!({"CreateAccountStatus": {"State": "SUCCEEDED", "AccountId": format!("{n}")}}).to_string();
            let seen: Value = serde_json::from_str(&slow.seen(&create, &made).expect("changed")).expect("JSON");
            assert_eq!(seen["CreateAccountStatus"], json!({"State": "IN_PROGRESS"}));
        }
        assert_eq!(slow.objection(&create).expect("a sixth").code, "TooManyRequestsException");
        let list = json!({"Accounts": [{"Id": "0"}, {"Id": "9"}]}).to_string();
        let seen = slow.seen(&operation("organizations", "ListAccounts"), &list).expect("changed");
        assert_eq!(serde_json::from_str::<Value>(&seen).expect("JSON"), json!({"Accounts": [{"Id": "9"}]}));
        let fast = Asynchrony::new(1e9);
        fast.seen(&create, &json!({"CreateAccountStatus": {"AccountId": "1"}}).to_string());
        std::thread::sleep(Duration::from_millis(2));
        assert!(!fast.is_unborn("1"));
    }

    #[test]
    fn a_distribution_is_deployed_after_a_while_and_each_in_a_list_by_itself() {
        let slow = Asynchrony::new(1.0);
        let made = "<Distribution><Id>E1</Id><Status>Deployed</Status></Distribution>";
        let seen = slow.seen(&operation("cloudfront", "CreateDistribution"), made).expect("changed");
        assert!(seen.contains("<Status>InProgress</Status>"));
        let list = "<L><DistributionSummary><Id>E1</Id><Status>Deployed</Status></DistributionSummary>\
                    <DistributionSummary><Id>E2</Id><Status>InProgress</Status></DistributionSummary></L>";
        let seen = slow.seen(&operation("cloudfront", "ListDistributions"), list).expect("changed");
        assert!(
            seen.contains("<Id>E1</Id><Status>InProgress</Status>")
                && seen.contains("<Id>E2</Id><Status>Deployed</Status>")
        );
    }
}
