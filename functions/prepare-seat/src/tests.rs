use super::*;
use serde_json::json;
use shared::records::MemoryRecords;
use std::collections::BTreeMap;
use std::sync::Mutex;

const ACCOUNT: &str = "111111111111";

#[derive(Clone, Debug, Default, PartialEq)]
struct World {
    alias: Option<String>,
    roles: BTreeMap<String, SeenRole>,
    policies: BTreeMap<String, Value>,
}

/// IAM in memory, which fails after so many calls and counts its writes.
struct MemoryIam {
    world: Mutex<World>,
    left: Mutex<usize>,
    writes: Mutex<usize>,
}

impl MemoryIam {
    fn new(world: World, calls: usize) -> Self {
        Self { world: Mutex::new(world), left: Mutex::new(calls), writes: Mutex::new(0) }
    }

    fn read<T>(&self, f: impl FnOnce(&World) -> T) -> Result<T, Fault> {
        let mut left = self.left.lock().unwrap();
        *left = left.checked_sub(1).ok_or_else(|| Fault::broken("cut off"))?;
        Ok(f(&self.world.lock().unwrap()))
    }

    fn write(&self, f: impl FnOnce(&mut World)) -> Result<(), Fault> {
        self.read(|_| ())?;
        *self.writes.lock().unwrap() += 1;
        f(&mut self.world.lock().unwrap());
        Ok(())
    }

    fn world(&self) -> World {
        self.world.lock().unwrap().clone()
    }
}

fn role_of<'a>(world: &'a mut World, name: &str) -> &'a mut SeenRole {
    world.roles.get_mut(name).expect("the role")
}

#[async_trait]
impl SeatIam for MemoryIam {
    async fn alias(&self) -> Result<Option<String>, Fault> {
        self.read(|w| w.alias.clone())
    }
    async fn set_alias(&self, alias: &str) -> Result<(), Fault> {
        self.write(|w| w.alias = Some(alias.to_owned()))
    }
    async fn role(&self, name: &str) -> Result<Option<SeenRole>, Fault> {
        self.read(|w| w.roles.get(name).cloned())
    }
    async fn create_role(&self, name: &str, trust: &Value) -> Result<(), Fault> {
        let arn = format!("arn:aws:iam::{ACCOUNT}:role/koza/{name}");
        self.write(|w| {
            w.roles.insert(name.to_owned(), SeenRole { arn, trust: trust.clone(), ..SeenRole::default() });
        })
    }
    async fn set_trust(&self, name: &str, trust: &Value) -> Result<(), Fault> {
        self.write(|w| role_of(w, name).trust = trust.clone())
    }
    async fn put_inline(&self, role: &str, name: &str, document: &Value) -> Result<(), Fault> {
        self.write(|w| {
            role_of(w, role).inline.insert(name.to_owned(), document.clone());
        })
    }
    async fn delete_inline(&self, role: &str, name: &str) -> Result<(), Fault> {
        self.write(|w| {
            role_of(w, role).inline.remove(name);
        })
    }
    async fn attach(&self, role: &str, arn: &str) -> Result<(), Fault> {
        self.write(|w| {
            role_of(w, role).attached.insert(arn.to_owned());
        })
    }
    async fn detach(&self, role: &str, arn: &str) -> Result<(), Fault> {
        self.write(|w| {
            role_of(w, role).attached.remove(arn);
        })
    }
    async fn delete_role(&self, name: &str) -> Result<(), Fault> {
        self.write(|w| {
            w.roles.remove(name);
        })
    }
    async fn policy(&self, arn: &str) -> Result<Option<Value>, Fault> {
        self.read(|w| w.policies.get(arn).cloned())
    }
    async fn create_policy(&self, name: &str, document: &str) -> Result<(), Fault> {
        let arn = format!("arn:aws:iam::{ACCOUNT}:policy/koza/{name}");
        self.rewrite_policy(&arn, document).await
    }
    async fn rewrite_policy(&self, arn: &str, document: &str) -> Result<(), Fault> {
        self.write(|w| {
            w.policies.insert(arn.to_owned(), serde_json::from_str(document).unwrap());
        })
    }
}

fn settings() -> Settings {
    Settings {
        names: shared::Names::new("koza", "aws+{seat}@example.com"),
        records: String::new(),
        management: "999999999999".into(),
        operations: "888888888888".into(),
        identity_center: String::new(),
        identity_store: String::new(),
        alerts: String::new(),
        never_touch: vec![],
        clock: runtime::Clock::new(1.0),
    }
}

async fn ask(iam: &MemoryIam, records: &MemoryRecords, ask: Value) -> Result<Answer, Fault> {
    let ask = runtime::parse(ask)?;
    handle(iam, records, &settings(), &ACCOUNT.into(), ask, Timestamp::UNIX_EPOCH).await
}

fn pool() -> Value {
    json!({"for": "pool", "seat": "koza-0001", "account": ACCOUNT, "run": "pool/fill/1"})
}

async fn ready(records: &MemoryRecords) -> Value {
    records::read_written(records, "pool/fill/1/seats/koza-0001.json").await.unwrap()
}

#[tokio::test]
async fn a_seat_is_prepared_once_and_cut_anywhere_it_ends_the_same() {
    let records = MemoryRecords::default();
    let iam = MemoryIam::new(World::default(), 1_000);
    ask(&iam, &records, pool()).await.unwrap();
    assert_eq!(ready(&records).await, json!({"ready": true, "why": ""}));
    let prepared = iam.world();
    assert_eq!((prepared.roles.len(), prepared.policies.len()), (4, 2));
    let writes = *iam.writes.lock().unwrap();
    ask(&iam, &records, pool()).await.unwrap();
    assert_eq!(*iam.writes.lock().unwrap(), writes, "the second time nothing is written");
    for calls in 0..40 {
        let cut = MemoryIam::new(World::default(), calls);
        let _ = ask(&cut, &records, pool()).await;
        let again = MemoryIam::new(cut.world(), 1_000);
        ask(&again, &records, pool()).await.unwrap();
        assert_eq!(again.world(), prepared, "cut after {calls}");
    }
}

#[tokio::test]
async fn what_somebody_edited_is_put_right() {
    let records = MemoryRecords::default();
    let iam = MemoryIam::new(World::default(), 1_000);
    ask(&iam, &records, pool()).await.unwrap();
    let prepared = iam.world();
    let mut edited = prepared.clone();
    let role = role_of(&mut edited, "koza-sweeper");
    role.trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]});
    role.attached.insert("arn:aws:iam::aws:policy/AdministratorAccess".to_owned());
    role.inline.insert("door".to_owned(), json!({}));
    let iam = MemoryIam::new(edited, 1_000);
    ask(&iam, &records, pool()).await.unwrap();
    assert_eq!(iam.world(), prepared);
}

#[tokio::test]
async fn a_course_fills_the_learner_policies_and_says_so() {
    let records = MemoryRecords::default();
    let plan = json!({
        "course": "c", "title": "C", "starts": "2026-01-01", "ends": "2026-02-01", "regions": ["ap-northeast-1"],
        "services": ["s3"], "seatBudgetUsd": "20.00", "thresholds": [], "contacts": [], "seats": []
    });
    records::write(&records, &key::plan(&"c".into()), &plan).await.unwrap();
    let iam = MemoryIam::new(World::default(), 1_000);
    ask(&iam, &records, pool()).await.unwrap();
    let course = json!({"for": "course", "course": "c", "seat": "koza-0001", "account": ACCOUNT});
    ask(&iam, &records, course).await.unwrap();
    let written = iam.world().policies["arn:aws:iam::111111111111:policy/koza/koza-learner-1"].to_string();
    assert!(written.contains("s3:*") && !written.contains("lambda"), "{written}");
    assert!(records.get("courses/c/open/seats/koza-0001.json").await.unwrap().is_some());
}

#[tokio::test]
async fn the_keeper_comes_only_with_an_admission_and_goes_again() {
    let records = MemoryRecords::default();
    let iam = MemoryIam::new(World::default(), 1_000);
    ask(&iam, &records, pool()).await.unwrap();
    let without = iam.world();
    let sweep = json!({"for": "sweep", "seat": "koza-0001", "account": ACCOUNT, "sweep": "c.1"});
    assert_eq!(ask(&iam, &records, sweep.clone()).await.expect_err("no admission").name(), "Invalid");
    let other = json!({"sweep": "c.1", "seats": [{"seat": "koza-0002", "account": "222222222222"}], "regions": [],
        "learnerPolicies": [], "at": "1970-01-01T00:00:00Z"});
    records::write(&records, "sweeps/c.1/admission.json", &other).await.unwrap();
    assert_eq!(ask(&iam, &records, sweep.clone()).await.expect_err("another seat's").name(), "Refused");
    assert_eq!(iam.world(), without);
    let mut ours = other;
    ours["seats"] = json!([{"seat": "koza-0001", "account": ACCOUNT}]);
    records::write(&records, "sweeps/c.1/admission.json", &ours).await.unwrap();
    ask(&iam, &records, sweep).await.unwrap();
    assert!(iam.world().roles.contains_key("koza-keeper"));
    let after = json!({"for": "after-sweep", "seat": "koza-0001", "account": ACCOUNT, "sweep": "c.1"});
    ask(&iam, &records, after.clone()).await.unwrap();
    assert_eq!(iam.world(), without);
    ask(&iam, &records, after).await.unwrap();
}

#[tokio::test]
async fn credentials_of_another_account_change_nothing() {
    let iam = MemoryIam::new(World::default(), 1_000);
    let ask = runtime::parse(pool()).unwrap();
    let records = MemoryRecords::default();
    let refused = handle(&iam, &records, &settings(), &"222222222222".into(), ask, Timestamp::UNIX_EPOCH).await;
    assert_eq!(refused.expect_err("refused").name(), "Refused");
    assert_eq!(iam.world(), World::default());
}

#[test]
fn a_missing_or_misspelt_field_is_refused() {
    for wrong in [
        json!({"for": "pool", "seat": "koza-0001", "account": ACCOUNT}),
        json!({"for": "pool", "seat": "koza-0001", "acount": ACCOUNT, "run": "r"}),
        json!({"for": "sweeps", "seat": "koza-0001", "account": ACCOUNT, "sweep": "s"}),
    ] {
        assert_eq!(runtime::parse::<Ask>(wrong.clone()).expect_err("refused").name(), "Invalid", "{wrong}");
    }
}

#[test]
fn every_sample_event_is_taken() {
    runtime::take_samples::<Ask>();
}
