use super::*;
use organization::{Guardrails, MemoryOrganization};
use serde_json::{Value, json};
use shared::records::MemoryRecords;

fn names() -> Names {
    Names::new("koza", "aws+{seat}@example.com")
}

/// koza-0001 in a closing course, koza-0002 in an active one, koza-0003 Available, koza-0004 in Sweeping.
async fn world() -> (MemoryOrganization, MemoryRecords) {
    let (o, r) = (MemoryOrganization::default(), MemoryRecords::default());
    let pool = o.create_unit("r-root", "koza").await.unwrap().id;
    let mut units = std::collections::BTreeMap::new();
    for name in ["Available", "Active", "Sweeping"] {
        units.insert(name, o.create_unit(&pool, name).await.unwrap().id);
    }
    let closing = o.create_policy("koza-closing", "{}").await.unwrap().id;
    let active = o.create_policy("koza-active", "{}").await.unwrap().id;
    let c = o.create_unit(&units["Active"], "c").await.unwrap().id;
    let d = o.create_unit(&units["Active"], "d").await.unwrap().id;
    o.attach(&closing, &c).await.unwrap();
    o.attach(&closing, &units["Sweeping"]).await.unwrap();
    o.attach(&active, &d).await.unwrap();
    for (n, unit) in [(1, &c), (2, &d), (3, &units["Available"]), (4, &units["Sweeping"])] {
        o.place(&format!("{n:012}"), &format!("koza-{n:04}"), unit);
    }
    o.place("999999999999", "production", "");
    for course in ["c", "d"] {
        let plan = json!({
            "course": course, "title": "C", "starts": "2026-01-01", "ends": "2026-02-01", "regions": ["ap-northeast-1"],
            "services": ["s3"], "seatBudgetUsd": "20.00", "thresholds": [], "contacts": [], "seats": []
        });
        records::write(&r, &key::plan(&course.into()), &plan).await.unwrap();
    }
    let seats =
        json!([{"seat": "koza-0001", "account": "000000000001"}, {"seat": "koza-0002", "account": "000000000002"}]);
    records::write(&r, "seats", &seats).await.unwrap();
    (o, r)
}

async fn ask(o: &MemoryOrganization, r: &MemoryRecords, ask: Value) -> Result<Value, Fault> {
    let never = ["000000000007".into()];
    let answer = handle(o, r, &names(), &never, runtime::parse(ask)?, Timestamp::UNIX_EPOCH).await?;
    Ok(serde_json::to_value(answer).unwrap())
}

fn by_hand(account: &str, delete: bool) -> Value {
    json!({"for": "account", "execution": "e-1", "input": {"account": account, "delete": delete}})
}

#[tokio::test]
async fn of_a_class_only_seats_in_a_closing_place_are_admitted() {
    let (o, r) = world().await;
    let class = json!({"for": "class", "course": "c", "sweep": "c.1", "seatsKey": "seats"});
    let answer = ask(&o, &r, class.clone()).await.unwrap();
    assert_eq!(answer["admitted"], 1);
    assert_eq!(answer["regions"], json!(["ap-northeast-1", "us-east-1"]));
    let before = r.all();
    ask(&o, &r, class).await.unwrap();
    assert_eq!(r.all(), before);
    for (n, admitted) in [(1, true), (2, false)] {
        let input = json!({"account": format!("{n:012}"), "seat": format!("koza-{n:04}"), "course": "c", "sweep": "c.1",
            "delete": true, "admission": "sweeps/c.1/admission.json"});
        let answer = ask(&o, &r, json!({"for": "account", "execution": "e", "input": input})).await;
        assert_eq!(answer.is_ok(), admitted, "{answer:?}");
    }
}

#[tokio::test]
async fn by_hand_a_plan_needs_nothing_and_a_delete_a_closing_place() {
    let (o, r) = world().await;
    let before = r.all();
    let plan = ask(&o, &r, by_hand("000000000002", false)).await.unwrap();
    assert_eq!((&plan["delete"], &plan["admission"], &plan["mustMove"]), (&json!(false), &json!(""), &json!(false)));
    assert_eq!(r.all(), before);
    assert_eq!(ask(&o, &r, by_hand("000000000002", true)).await.expect_err("active").name(), "Refused");
    assert_eq!(ask(&o, &r, by_hand("999999999999", true)).await.expect_err("no seat").name(), "Invalid");
    assert_eq!(ask(&o, &r, by_hand("12", true)).await.expect_err("no account").name(), "Invalid");
    assert_eq!(ask(&o, &r, by_hand("000000000003", true)).await.unwrap()["mustMove"], true);
    assert_eq!(r.all(), before);
    let swept = ask(&o, &r, by_hand("000000000004", true)).await.unwrap();
    assert_eq!(swept["admission"], "sweeps/e-1/admission.json");
    assert!(swept["regions"].as_array().unwrap().len() > 10);
}

#[tokio::test]
async fn what_is_never_touched_is_not_admitted_even_where_it_closes() {
    let (o, r) = world().await;
    let sweeping = o.layout(&names()).await.unwrap().units["Sweeping"].id.clone();
    o.place("000000000007", "koza-0007", &sweeping);
    assert_eq!(ask(&o, &r, by_hand("000000000007", true)).await.expect_err("never").name(), "Refused");
}

#[test]
fn a_missing_or_misspelt_field_is_refused() {
    for input in [json!({}), json!({"acount": "000000000001"}), json!({"account": "000000000001", "force": true})] {
        let wrong = json!({"for": "account", "execution": "e", "input": input});
        assert_eq!(runtime::parse::<Ask>(wrong.clone()).expect_err("refused").name(), "Invalid", "{wrong}");
    }
}

#[test]
fn every_sample_event_is_taken() {
    runtime::take_samples::<Ask>();
}
