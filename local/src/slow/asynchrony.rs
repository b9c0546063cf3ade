//! What takes AWS time: accounts, assignments, distributions, notebooks and stacks are under way for a while after they were
//! asked for. The emulators do it at once, so the gateway hides what is not done yet, or does it later.

use crate::answer::{Refusal, element, json_answer, xml_answer};
use crate::operation::{Operation, field};
use crate::slow::durations::{Durations, Job};
use crate::strict::quotas::{Quotas, Reach};
use crate::strict::rules::Place;
use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// One piece of work that AWS has begun.
#[derive(Clone, Debug)]
struct Work {
    until: Instant,
    /// The account that it is done in, where that is counted.
    account: String,
    /// What is done there: works on the same thing do not stand in each other's way.
    what: String,
}

/// What is under way.
#[derive(Debug)]
pub struct Asynchrony {
    durations: Durations,
    /// Ids of accounts, of requests for assignments, of distributions, notebooks and stacks.
    under_way: Mutex<HashMap<(Job, String), Work>>,
    /// Stacks that could not be deleted, and why.
    failed_stacks: Mutex<HashMap<String, String>>,
    /// Log groups that came back: each does once.
    returned: Mutex<HashSet<String>>,
}

/// Something that is done when its time has come and not before.
#[derive(Debug)]
pub struct Later {
    /// When; `None`: it is on its way already, and nothing is left to do.
    pub after: Option<Duration>,
    /// What is answered now.
    pub answer: Response<Body>,
    /// The stack that it deletes.
    pub stack: Option<String>,
}

fn key(place: Place<'_>, name: &str) -> String {
    format!("{} {} {name}", place.account, place.region)
}

/// A stack's name, of its name or its ARN.
fn stack_name(text: &str) -> &str {
    text.split("stack/").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or(text)
}

impl Asynchrony {
    /// With these durations.
    pub fn new(durations: Durations) -> Self {
        Self { durations, under_way: Mutex::default(), failed_stacks: Mutex::default(), returned: Mutex::default() }
    }

    /// How long this takes here.
    pub fn duration(&self, job: Job) -> Duration {
        self.durations.draw(job)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(Job, String), Work>> {
        let mut under_way = self.under_way.lock().unwrap_or_else(|e| e.into_inner());
        let now = Instant::now();
        under_way.retain(|_, work| work.until > now);
        under_way
    }

    fn begin(&self, job: Job, id: &str) -> Duration {
        self.begin_in(job, id, self.duration(job), "", "")
    }

    fn begin_in(&self, job: Job, id: &str, lasts: Duration, account: &str, what: &str) -> Duration {
        let work = Work { until: Instant::now() + lasts, account: account.to_owned(), what: what.to_owned() };
        self.lock().insert((job, id.to_owned()), work);
        lasts
    }

    fn count(&self, job: Job) -> usize {
        self.lock().keys().filter(|(j, _)| *j == job).count()
    }

    fn is_under_way(&self, job: Job, id: &str) -> bool {
        self.lock().contains_key(&(job, id.to_owned()))
    }

    /// Whether this account is still being made: nobody sees it.
    fn is_unborn(&self, account: &str) -> bool {
        self.is_under_way(Job::Account, account)
    }

    /// Whether nobody can enter this account yet.
    pub fn is_closed_yet(&self, account: &str) -> bool {
        self.is_under_way(Job::AccessRole, account)
    }

    /// Whether this request for an assignment is still being worked on.
    pub fn is_being_assigned(&self, request: &str) -> bool {
        self.is_under_way(Job::Assignment, request)
    }

    /// Whether this permission set is still being written into its accounts.
    pub fn is_being_provisioned(&self, request: &str) -> bool {
        self.is_under_way(Job::Provisioning, request)
    }

    /// A permission set is written into so many accounts, one after another: until when.
    pub fn provision(&self, request: &str, accounts: usize) -> Duration {
        let lasts = self.duration(Job::Provisioning) * u32::try_from(accounts).unwrap_or(u32::MAX);
        self.begin_in(Job::Provisioning, request, lasts, "", "")
    }

    /// Why AWS would refuse the call because of what is under way.
    pub fn objection(&self, quotas: &Quotas, place: Place<'_>, operation: &Operation, body: &[u8]) -> Option<Refusal> {
        let asked = || serde_json::from_slice::<Value>(body).unwrap_or_default();
        match (operation.service.as_str(), operation.name.as_str()) {
            ("organizations", "CreateAccount") => quotas.too_many(operation, |_| self.count(Job::Account)),
            ("organizations", "CloseAccount") => quotas.too_many(operation, |_| self.count(Job::Closing)),
            ("sso", "CreateAccountAssignment" | "DeleteAccountAssignment" | "ProvisionPermissionSet") => {
                let asked = asked();
                let (account, what) = (asked["TargetId"].as_str().unwrap_or_default(), role_update(operation, &asked));
                let works = self.lock();
                let job = if operation.name.starts_with("Provision") { Job::Provisioning } else { Job::Assignment };
                quotas.too_many(operation, |reach| match reach {
                    Reach::All => works.keys().filter(|(j, _)| *j == job).count(),
                    Reach::Account => works.values().filter(|w| w.account == account && w.what != what).count(),
                })
            }
            ("cloudfront", "DeleteDistribution" | "UpdateDistribution")
                if operation.labels.get("Id").is_some_and(|id| self.is_under_way(Job::Distribution, id)) =>
            {
                Some(Refusal {
                    status: 409,
                    ..Refusal::new("DistributionNotDisabled", "The distribution is still being deployed.")
                })
            }
            ("sagemaker", "StopNotebookInstance" | "DeleteNotebookInstance" | "StartNotebookInstance") => {
                let asked = asked();
                let status = self.notebook(place, asked["NotebookInstanceName"].as_str().unwrap_or_default())?;
                Some(Refusal::new(
                    "ValidationException",
                    format!("Status ({status}) not in the states in which {} can be done", operation.name),
                ))
            }
            _ => None,
        }
    }

    /// What is done later, with what is answered now; `None`: it is done now.
    pub fn later(&self, place: Place<'_>, operation: &Operation, body: &[u8]) -> Option<Later> {
        match (operation.service.as_str(), operation.name.as_str()) {
            ("sagemaker", "DeleteNotebookInstance") => {
                let asked: Value = serde_json::from_slice(body).unwrap_or_default();
                let after = self.begin(Job::NotebookDelete, &key(place, asked["NotebookInstanceName"].as_str()?));
                Some(Later { after: Some(after), answer: json_answer(&json!({})), stack: None })
            }
            ("cloudformation", "DeleteStack") => {
                let stack = key(place, stack_name(&field(body, "StackName")?));
                let answer = xml_answer(
                    "<DeleteStackResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><ResponseMetadata>\
                     <RequestId>koza-local</RequestId></ResponseMetadata></DeleteStackResponse>"
                        .to_owned(),
                );
                self.stacks().remove(&stack);
                let again = self.is_under_way(Job::StackDelete, &stack);
                let after = (!again).then(|| self.begin(Job::StackDelete, &stack));
                Some(Later { after, answer, stack: Some(stack) })
            }
            _ => None,
        }
    }

    /// When the log group of a function that still ran comes back after it was deleted, the first time that it was.
    pub fn log_group_returns(&self, place: Place<'_>, name: &str) -> Option<Duration> {
        let mut returned = self.returned.lock().unwrap_or_else(|e| e.into_inner());
        (name.starts_with("/aws/lambda/") && returned.insert(key(place, name))).then(|| self.duration(Job::LogGroup))
    }

    /// A stack could not be deleted: its status says so from now on.
    pub fn stack_failed(&self, stack: String, why: String) {
        self.stacks().insert(stack, why);
    }

    fn stacks(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.failed_stacks.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// What a notebook is in the middle of.
    fn notebook(&self, place: Place<'_>, name: &str) -> Option<&'static str> {
        let id = key(place, name);
        [(Job::NotebookDelete, "Deleting"), (Job::NotebookStop, "Stopping"), (Job::NotebookStart, "Pending")]
            .into_iter()
            .find_map(|(job, status)| self.is_under_way(job, &id).then_some(status))
    }

    /// Whether the answer of this operation has to be read and changed.
    pub fn concerns(operation: &Operation) -> bool {
        let name = operation.name.as_str();
        match operation.service.as_str() {
            "organizations" => {
                name.starts_with("ListAccounts")
                    || name.contains("CreateAccount")
                    || matches!(name, "DescribeAccount" | "CloseAccount")
            }
            "cloudfront" => name.contains("Distribution"),
            "cloudformation" => matches!(name, "DescribeStacks" | "ListStacks"),
            "sagemaker" => name.ends_with("NotebookInstance") || name == "ListNotebookInstances",
            "sso" => name.contains("AccountAssignment"),
            _ => false,
        }
    }

    /// The answer as AWS would give it now. Begins what the call began.
    pub fn seen(&self, place: Place<'_>, operation: &Operation, body: &[u8], answer: &str) -> Option<String> {
        match (operation.service.as_str(), operation.name.as_str()) {
            ("organizations", "CloseAccount") => {
                let asked: Value = serde_json::from_slice(body).ok()?;
                self.begin(Job::Closing, asked["AccountId"].as_str()?);
                None
            }
            ("organizations", name) => self.organization(name, answer),
            ("cloudfront", name) => Some(self.distributions(name, operation.labels.get("Id"), answer)),
            ("cloudformation", _) => Some(self.stacks_now(place, answer)),
            ("sagemaker", name) => self.notebooks(place, name, body, answer),
            ("sso", "CreateAccountAssignment" | "DeleteAccountAssignment") => {
                let status: Value = serde_json::from_str(answer).ok()?;
                let request = status.as_object()?.values().find_map(|s| s["RequestId"].as_str())?;
                let asked: Value = serde_json::from_slice(body).ok()?;
                let account = asked["TargetId"].as_str().unwrap_or_default();
                let lasts = self.duration(Job::Assignment);
                self.begin_in(Job::Assignment, request, lasts, account, &role_update(operation, &asked));
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
            let made = self.begin(Job::Account, &account);
            let entered = made + self.duration(Job::AccessRole);
            self.begin_in(Job::AccessRole, &account, entered, "", "");
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
                Some(status) if self.is_under_way(Job::Distribution, &of) => {
                    text.replacen(&format!("<Status>{status}</Status>"), "<Status>InProgress</Status>", 1)
                }
                Some(status) => text.replacen(&format!("<Status>{status}</Status>"), "<Status>Deployed</Status>", 1),
                None => text.to_owned(),
            }
        };
        match operation {
            "CreateDistribution" | "UpdateDistribution" => {
                if let Some(id) = id.cloned().or_else(|| element(answer, "Id").map(str::to_owned)) {
                    self.begin(Job::Distribution, &id);
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
    /// Stacks whose time has not come are on their way out; one that could not be deleted says why.
    fn stacks_now(&self, place: Place<'_>, answer: &str) -> String {
        let mut seen = String::new();
        let mut rest = answer;
        while let Some(at) = rest.find("<StackStatus>") {
            let (before, from) = rest.split_at(at);
            seen.push_str(before);
            // Of the summary that it stands in, the id comes first.
            let id =
                seen.rfind("<StackId>").and_then(|i| element(&seen[i..], "StackId")).unwrap_or_default().to_owned();
            let stack = key(place, stack_name(&id));
            let status = element(from, "StackStatus").unwrap_or_default();
            let end = at + from.find("</StackStatus>").map_or(from.len(), |e| e + "</StackStatus>".len());
            let failure = self.stacks().get(&stack).cloned();
            match (self.is_under_way(Job::StackDelete, &stack), failure) {
                (true, _) => seen.push_str("<StackStatus>DELETE_IN_PROGRESS</StackStatus>"),
                (false, Some(why)) if status != "DELETE_COMPLETE" => seen.push_str(&format!(
                    "<StackStatus>DELETE_FAILED</StackStatus><StackStatusReason>{}</StackStatusReason>",
                    crate::answer::xml(&why)
                )),
                _ => seen.push_str(&format!("<StackStatus>{status}</StackStatus>")),
            }
            rest = &rest[end..];
        }
        seen.push_str(rest);
        seen
    }

    fn notebooks(&self, place: Place<'_>, operation: &str, body: &[u8], answer: &str) -> Option<String> {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let name = asked["NotebookInstanceName"].as_str().map(|name| key(place, name));
        match (operation, name) {
            ("CreateNotebookInstance" | "StartNotebookInstance", Some(id)) => {
                self.begin(Job::NotebookStart, &id);
            }
            ("StopNotebookInstance", Some(id)) => {
                self.begin(Job::NotebookStop, &id);
            }
            _ => {}
        }
        let mut answer: Value = serde_json::from_str(answer).ok()?;
        let now = |notebook: &mut Value| {
            let name = notebook["NotebookInstanceName"].as_str().unwrap_or_default();
            if let Some(status) = self.notebook(place, name) {
                notebook["NotebookInstanceStatus"] = json!(status);
            }
        };
        match operation {
            "DescribeNotebookInstance" => now(&mut answer),
            "ListNotebookInstances" => {
                answer.get_mut("NotebookInstances").and_then(Value::as_array_mut).into_iter().flatten().for_each(now);
            }
            _ => return None,
        }
        Some(answer.to_string())
    }
}

/// What an assignment or provisioning does to a role: giving the same set to others does not touch it again.
fn role_update(operation: &Operation, asked: &Value) -> String {
    format!("{} {}", operation.name, asked["PermissionSetArn"].as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Protocol;

    const HERE: Place<'_> = Place { account: "1", region: "r" };

    fn running_at(speed: f64) -> Asynchrony {
        Asynchrony::new(Durations::read(speed, 1).expect("the rows"))
    }

    fn operation(service: &str, name: &str) -> Operation {
        Operation { service: service.into(), name: name.into(), protocol: Protocol::Json, labels: HashMap::default() }
    }

    #[test]
    fn an_account_is_hidden_until_it_is_made_and_no_more_than_five_are_under_way() {
        let (slow, quotas) = (running_at(1.0), Quotas::read(1.0).expect("the rows"));
        let create = operation("organizations", "CreateAccount");
        for n in 0..5 {
            assert!(slow.objection(&quotas, HERE, &create, b"{}").is_none());
            let made = json!({"CreateAccountStatus": {"State": "SUCCEEDED", "AccountId": format!("{n}")}}).to_string();
            let seen: Value =
                serde_json::from_str(&slow.seen(HERE, &create, b"", &made).expect("changed")).expect("JSON");
            assert_eq!(seen["CreateAccountStatus"], json!({"State": "IN_PROGRESS"}));
        }
        assert_eq!(slow.objection(&quotas, HERE, &create, b"{}").expect("a sixth").code, "TooManyRequestsException");
        let list = json!({"Accounts": [{"Id": "0"}, {"Id": "9"}]}).to_string();
        let seen = slow.seen(HERE, &operation("organizations", "ListAccounts"), b"", &list).expect("changed");
        assert_eq!(serde_json::from_str::<Value>(&seen).expect("JSON"), json!({"Accounts": [{"Id": "9"}]}));
        let fast = running_at(1e9);
        fast.seen(HERE, &create, b"", &json!({"CreateAccountStatus": {"AccountId": "1"}}).to_string());
        std::thread::sleep(Duration::from_millis(2));
        assert!(!fast.is_unborn("1"));
    }

    #[test]
    fn a_distribution_is_deployed_after_a_while_and_each_in_a_list_by_itself() {
        let slow = running_at(1.0);
        let made = "<Distribution><Id>E1</Id><Status>Deployed</Status></Distribution>";
        let seen = slow.seen(HERE, &operation("cloudfront", "CreateDistribution"), b"", made).expect("changed");
        assert!(seen.contains("<Status>InProgress</Status>"));
        let list = "<L><DistributionSummary><Id>E1</Id><Status>Deployed</Status></DistributionSummary>\
                    <DistributionSummary><Id>E2</Id><Status>InProgress</Status></DistributionSummary></L>";
        let seen = slow.seen(HERE, &operation("cloudfront", "ListDistributions"), b"", list).expect("changed");
        assert!(
            seen.contains("<Id>E1</Id><Status>InProgress</Status>")
                && seen.contains("<Id>E2</Id><Status>Deployed</Status>")
        );
    }

    #[test]
    fn three_accounts_are_closed_at_once_and_no_more() {
        let (slow, quotas) = (running_at(1.0), Quotas::read(1.0).expect("the rows"));
        let close = operation("organizations", "CloseAccount");
        for n in 0..3 {
            assert!(slow.objection(&quotas, HERE, &close, b"{}").is_none());
            slow.seen(HERE, &close, json!({"AccountId": n.to_string()}).to_string().as_bytes(), "");
        }
        assert_eq!(
            slow.objection(&quotas, HERE, &close, b"{}").expect("a fourth").code,
            "ConstraintViolationException"
        );
    }

    #[test]
    fn two_sets_in_one_account_wait_for_each_other_and_fifteen_are_under_way_at_most() {
        let (slow, quotas) = (running_at(1.0), Quotas::read(1.0).expect("the rows"));
        let create = operation("sso", "CreateAccountAssignment");
        let begin = |account: usize, set: &str| {
            let body = json!({"TargetId": account.to_string(), "PermissionSetArn": set}).to_string();
            let refused = slow.objection(&quotas, HERE, &create, body.as_bytes()).map(|r| r.code);
            if refused.is_none() {
                let id = format!("{account} {set}");
                let answer = json!({"AccountAssignmentCreationStatus": {"RequestId": id}}).to_string();
                slow.seen(HERE, &create, body.as_bytes(), &answer);
            }
            refused
        };
        assert_eq!(begin(1, "learner"), None);
        assert_eq!(begin(1, "learner"), None, "the role is there already");
        assert_eq!(begin(1, "teacher").as_deref(), Some("ConflictException"));
        assert!((2..16).all(|account| begin(account, "learner").is_none()));
        assert_eq!(begin(16, "learner").as_deref(), Some("ThrottlingException"));
    }

    #[test]
    fn a_stack_and_a_notebook_are_on_their_way_out_until_their_time_has_come() {
        let slow = running_at(1.0);
        let delete = operation("cloudformation", "DeleteStack");
        let list = operation("cloudformation", "ListStacks");
        let stacks = "<m><StackId>arn:aws:cloudformation:r:1:stack/a/1</StackId><StackStatus>CREATE_COMPLETE</StackStatus></m>\
                      <m><StackId>arn:aws:cloudformation:r:1:stack/b/2</StackId><StackStatus>CREATE_COMPLETE</StackStatus></m>";
        let first = slow.later(HERE, &delete, b"StackName=a").expect("later");
        assert!(first.after > Some(Duration::from_secs(1)));
        assert_eq!(slow.later(HERE, &delete, b"StackName=a").expect("taken").after, None);
        let seen = slow.seen(HERE, &list, b"", stacks).expect("changed");
        assert!(seen.contains("a/1</StackId><StackStatus>DELETE_IN_PROGRESS<"), "{seen}");
        assert!(seen.contains("b/2</StackId><StackStatus>CREATE_COMPLETE<"), "{seen}");
        slow.stack_failed(key(HERE, "b"), "the bucket is not empty".to_owned());
        let seen = slow.seen(HERE, &list, b"", stacks).expect("changed");
        assert!(seen.contains("DELETE_FAILED</StackStatus><StackStatusReason>the bucket"), "{seen}");

        let quotas = Quotas::read(1.0).expect("the rows");
        let body = br#"{"NotebookInstanceName": "n"}"#;
        let (stop, away) =
            (operation("sagemaker", "StopNotebookInstance"), operation("sagemaker", "DeleteNotebookInstance"));
        assert!(slow.objection(&quotas, HERE, &stop, body).is_none());
        slow.seen(HERE, &stop, body, "{}");
        assert_eq!(slow.objection(&quotas, HERE, &away, body).expect("not yet").code, "ValidationException");
        let answer = r#"{"NotebookInstances": [{"NotebookInstanceName": "n", "NotebookInstanceStatus": "Stopped"}]}"#;
        let seen = slow.seen(HERE, &operation("sagemaker", "ListNotebookInstances"), b"{}", answer).expect("changed");
        assert!(seen.contains("Stopping"), "{seen}");
    }
}
