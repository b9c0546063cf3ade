use super::*;
use serde_json::{Value, json};
use shared::records::MemoryRecords;
use std::time::Duration;

const SET: &str = "arn:aws:sso:::permissionSet/1/2";

struct World {
    members: Vec<String>,
    assignments: Vec<(AccountId, String)>,
    probed: Probed,
}

fn good() -> World {
    World {
        members: vec!["u-1".into()],
        assignments: vec![("111111111111".into(), SET.into())],
        probed: Probed::Denied,
    }
}

#[async_trait]
impl Center for World {
    async fn groups(&self) -> Result<BTreeMap<String, String>, Fault> {
        Ok([("koza-0001".to_owned(), "g-1".to_owned())].into())
    }
    async fn permission_set(&self, name: &str) -> Result<Option<String>, Fault> {
        Ok((name == "koza-learner").then(|| SET.to_owned()))
    }
    async fn members(&self, _: &str) -> Result<Vec<String>, Fault> {
        Ok(self.members.clone())
    }
    async fn assignments(&self, _: &str) -> Result<Vec<(AccountId, String)>, Fault> {
        Ok(self.assignments.clone())
    }
}

#[async_trait]
impl Probe for World {
    async fn act(&self, _: &AccountId) -> Probed {
        self.probed.clone()
    }
}

async fn records() -> MemoryRecords {
    let records = MemoryRecords::default();
    let plan = json!({
        "course": "c", "title": "C", "starts": "2026-01-01", "ends": "2026-02-01", "regions": ["ap-northeast-1"],
        "services": ["s3"], "seatBudgetUsd": "20.00", "thresholds": [], "contacts": [],
        "seats": [{"seat": "koza-0001", "account": "111111111111", "email": "a@example.com", "givenName": "", "familyName": "A"}]
    });
    records::write(&records, &key::plan(&"c".into()), &plan).await.unwrap();
    let learner = LearnerRecord { user_id: "u-1".into(), enrolled: true, ..LearnerRecord::default() };
    records::write(&records, &key::learner(&"c".into(), &"koza-0001".into()), &learner).await.unwrap();
    records
}

async fn ask(world: &World, records: &MemoryRecords, ask: Value) -> Result<Answer, Fault> {
    let names = Names::new("koza", "a+{seat}@e.jp");
    let deadline = Instant::now() + Duration::from_secs(60);
    handle(world, world, records, &names, runtime::parse(ask)?, deadline).await
}

fn access() -> Value {
    json!({"check": "access", "course": "c"})
}

#[tokio::test]
async fn exactly_one_learner_one_account_one_permission_set_is_proved() {
    let records = records().await;
    let answer = ask(&good(), &records, access()).await.unwrap();
    assert_eq!(answer, Answer::Access { done: true, proved: 1, failed: vec![] });
    let before = records.all();
    ask(&good(), &records, access()).await.unwrap();
    assert_eq!(records.all(), before, "twice is once");
    let other = ("222222222222".into(), SET.to_owned());
    let wrong = [
        World { members: vec![], ..good() },
        World { members: vec!["u-1".into(), "u-2".into()], ..good() },
        World { members: vec!["u-2".into()], ..good() },
        World { assignments: vec![], ..good() },
        World { assignments: vec![good().assignments[0].clone(), other.clone()], ..good() },
        World { assignments: vec![other], ..good() },
        World { assignments: vec![("111111111111".into(), "another set".into())], ..good() },
    ];
    for world in wrong {
        let Answer::Access { proved, failed, .. } = ask(&world, &records, access()).await.unwrap() else {
            panic!("not of access")
        };
        assert_eq!((proved, failed.len()), (0, 1));
        let record: LearnerRecord =
            records::read_written(&records, &key::learner(&"c".into(), &"koza-0001".into())).await.unwrap();
        assert!(!record.proved && !record.why.is_empty());
    }
}

#[tokio::test]
async fn only_a_refusal_is_a_denial() {
    let records = records().await;
    let seats = json!({"check": "denied", "seats": [{"seat": "koza-0001", "account": "111111111111"}]});
    for (probed, is_done) in
        [(Probed::Denied, true), (Probed::Allowed, false), (Probed::NotAsked("no such role".into()), false)]
    {
        let answer = ask(&World { probed, ..good() }, &records, seats.clone()).await.unwrap();
        let Answer::Denied { done, wait_seconds, allowed, .. } = answer else { panic!("not of denial") };
        assert_eq!((done, wait_seconds == 0, allowed.is_empty()), (is_done, is_done, is_done));
    }
}

#[tokio::test]
async fn a_missing_or_misspelt_field_is_refused() {
    for wrong in [json!({"check": "access"}), json!({"check": "denied", "seat": []}), json!({"check": "denied"})] {
        let refused = ask(&good(), &MemoryRecords::default(), wrong.clone()).await.expect_err("refused");
        assert_eq!(refused.name(), "Invalid", "{wrong}");
    }
}

#[test]
fn every_sample_event_is_taken() {
    runtime::take_samples::<Ask>();
}
