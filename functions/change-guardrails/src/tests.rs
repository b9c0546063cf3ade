use super::*;
use organization::testing::Cut;
use organization::{MemoryOrganization, policy_named};
use serde_json::json;
use shared::records::MemoryRecords;

fn names() -> Names {
    Names::new("koza", "aws+{seat}@example.com")
}

async fn records() -> MemoryRecords {
    let records = MemoryRecords::default();
    let plan = json!({
        "course": "c", "title": "C", "starts": "2026-01-01", "ends": "2026-02-01", "regions": ["ap-northeast-1"],
        "services": ["s3", "iam"], "seatBudgetUsd": "20.00", "thresholds": [], "contacts": [],
        "seats": [{"seat": "koza-0001", "account": "111111111111", "email": "a@example.com", "givenName": "", "familyName": "A"}]
    });
    records::write(&records, &key::plan(&"c".into()), &plan).await.unwrap();
    records
}

async fn ask(organization: &MemoryOrganization, ask: Value) -> Result<Answer, Fault> {
    handle(organization, organization, &records().await, &names(), runtime::parse(ask)?).await
}

async fn open() -> MemoryOrganization {
    let organization = MemoryOrganization::default();
    ask(&organization, json!({"do": "lay-out-pool"})).await.unwrap();
    ask(&organization, json!({"do": "open-course", "course": "c"})).await.unwrap();
    let unit = organization.layout(&names()).await.unwrap().courses[&"c".into()].id.clone();
    organization.place("111111111111", "koza-0001", &unit);
    organization
}

async fn is_on(organization: &MemoryOrganization, policy: &str, target: &str) -> bool {
    let id = policy_named(organization, policy).await.unwrap().expect("the policy");
    organization.targets(&id).await.unwrap().iter().any(|t| t == target)
}

#[tokio::test]
async fn a_second_run_of_anything_writes_nothing() {
    let organization = open().await;
    for step in [
        json!({"do": "lay-out-pool"}),
        json!({"do": "open-course", "course": "c"}),
        json!({"do": "freeze", "input": {"seat": "koza-0001", "reason": "r"}}),
        json!({"do": "close-course", "course": "c"}),
        json!({"do": "release-course", "course": "c"}),
        json!({"do": "thaw-course", "course": "c"}),
    ] {
        ask(&organization, step.clone()).await.unwrap();
        let world = organization.world();
        let again = ask(&organization, step.clone()).await.unwrap();
        assert!(!again.changed, "{step}");
        assert_eq!(organization.world(), world, "{step}");
    }
}

#[tokio::test]
async fn cut_anywhere_the_pool_ends_the_same() {
    let undisturbed = MemoryOrganization::default();
    ask(&undisturbed, json!({"do": "lay-out-pool"})).await.unwrap();
    for calls in 0..60 {
        let organizations = [MemoryOrganization::default(), MemoryOrganization::default()];
        for (cut, organization) in Cut::both(organizations.each_ref(), calls).iter().zip(&organizations) {
            let _ = handle(cut, cut, &records().await, &names(), Ask::LayOutPool {}).await;
            ask(organization, json!({"do": "lay-out-pool"})).await.unwrap();
            assert_eq!(organization.world(), undisturbed.world(), "cut after {calls}");
        }
    }
}

#[tokio::test]
async fn a_course_is_released_only_when_it_is_closing() {
    let organization = open().await;
    let unit = organization.layout(&names()).await.unwrap().courses[&"c".into()].id.clone();
    let refused = ask(&organization, json!({"do": "release-course", "course": "c"})).await.expect_err("refused");
    assert_eq!(refused.name(), "Refused");
    assert!(is_on(&organization, "koza-active", &unit).await);
    ask(&organization, json!({"do": "close-course", "course": "c"})).await.unwrap();
    ask(&organization, json!({"do": "release-course", "course": "c"})).await.unwrap();
    assert!(!is_on(&organization, "koza-active", &unit).await);
    let again = ask(&organization, json!({"do": "open-course", "course": "c"})).await.expect_err("closing");
    assert_eq!(again.name(), "Refused");
}

#[tokio::test]
async fn a_course_ends_only_when_its_unit_is_empty_and_leaves_nothing() {
    let organization = open().await;
    let held = ask(&organization, json!({"do": "end-course", "course": "c"})).await.expect_err("not empty");
    assert_eq!(held.name(), "Conflict");
    let available = organization.layout(&names()).await.unwrap().units["Available"].id.clone();
    organization.place("111111111111", "koza-0001", &available);
    ask(&organization, json!({"do": "end-course", "course": "c"})).await.unwrap();
    assert!(!organization.policies().await.unwrap().iter().any(|p| p.name.contains("course")));
    assert!(organization.layout(&names()).await.unwrap().courses.is_empty());
    assert!(!ask(&organization, json!({"do": "end-course", "course": "c"})).await.unwrap().changed);
}

#[tokio::test]
async fn only_a_seat_that_somebody_uses_is_frozen() {
    let organization = open().await;
    let available = organization.layout(&names()).await.unwrap().units["Available"].id.clone();
    organization.place("222222222222", "koza-0002", &available);
    for wrong in ["koza-0002", "koza-0009"] {
        let input = json!({"do": "freeze", "input": {"seat": wrong, "reason": "r"}});
        assert_eq!(ask(&organization, input).await.expect_err("refused").name(), "Invalid");
    }
    let seats = json!({"do": "freeze", "seats": [
        {"seat": "koza-0001", "account": "111111111111", "reason": "limit"},
        {"seat": "koza-0002", "account": "222222222222", "reason": "limit"}]});
    assert_eq!(ask(&organization, seats).await.unwrap().seats.len(), 1);
    assert!(is_on(&organization, "koza-frozen", "111111111111").await);
    assert!(!is_on(&organization, "koza-frozen", "222222222222").await);
}

#[test]
fn a_missing_or_misspelt_field_is_refused() {
    for wrong in [
        json!({"do": "freeze", "input": {"seat": "koza-0001"}}),
        json!({"do": "freeze", "input": {"seat": "koza-0001", "reason": "r", "sure": true}}),
        json!({"do": "thaw", "inputs": {"seat": "koza-0001", "reason": "r"}}),
        json!({"do": "open-course"}),
        json!({"do": "lay-out-pool", "course": "c"}),
    ] {
        let refused = runtime::parse::<Ask>(wrong.clone()).expect_err("refused");
        assert_eq!(refused.name(), "Invalid", "{wrong}");
    }
}

#[test]
fn every_sample_event_is_taken() {
    runtime::take_samples::<Ask>();
}
