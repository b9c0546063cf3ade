use super::*;
use organization::{Guardrails, MemoryOrganization};
use serde_json::{Value, json};
use shared::records::MemoryRecords;

struct Daily(Vec<(&'static str, &'static str, &'static str)>);

#[async_trait]
impl Costs for Daily {
    async fn daily(&self, start: Date, end: Date) -> Result<Vec<(AccountId, Date, Usd)>, Fault> {
        assert!(start < end);
        Ok(self.0.iter().map(|(a, d, u)| ((*a).into(), d.parse().unwrap(), u.parse().unwrap())).collect())
    }
}

async fn world() -> (MemoryOrganization, MemoryRecords) {
    let (o, r) = (MemoryOrganization::default(), MemoryRecords::default());
    let pool = o.create_unit("r-root", "koza").await.unwrap().id;
    let active = o.create_unit(&pool, "Active").await.unwrap().id;
    o.create_unit(&active, "c").await.unwrap();
    let seats: Vec<_> = (1..=4)
        .map(|n| {
            json!({"seat": format!("koza-{n:04}"), "account": format!("{n:012}"), "email": format!("l{n}@example.com"),
                "givenName": "", "familyName": "L"})
        })
        .collect();
    let plan = json!({
        "course": "c", "title": "C", "starts": "2026-01-05", "ends": "2026-02-01", "regions": ["ap-northeast-1"],
        "services": ["s3"], "seatBudgetUsd": "20.00", "contacts": ["a@example.com"], "seats": seats,
        "thresholds": [{"percent": 50, "do": "alert"}, {"percent": 100, "do": "freeze"}]
    });
    records::write(&r, &key::plan(&"c".into()), &plan).await.unwrap();
    (o, r)
}

fn costs() -> Daily {
    Daily(vec![
        ("000000000001", "2026-01-05", "3.10"),
        // Before the course: another one's.
        ("000000000002", "2026-01-04", "19.00"),
        ("000000000002", "2026-01-05", "10.00"),
        ("000000000003", "2026-01-05", "12.00"),
        ("000000000003", "2026-01-06", "8.0000000001"),
        ("999999999999", "2026-01-06", "900"),
    ])
}

async fn poll(o: &MemoryOrganization, r: &MemoryRecords, input: Value) -> Result<Answer, Fault> {
    let ask = runtime::parse(json!({"execution": "e", "input": input}))?;
    let now = "2026-01-10T09:00:00Z".parse().unwrap();
    handle(o, &costs(), r, &Names::new("koza", "a+{seat}@e.jp"), ask, now).await
}

#[tokio::test]
async fn the_highest_threshold_is_told_once_and_missing_is_unknown() {
    let (o, r) = world().await;
    let answer = poll(&o, &r, json!({})).await.unwrap();
    insta::assert_json_snapshot!(answer, @r#"
    {
      "day": "2026-01-10",
      "seats": 4,
      "unknown": 1,
      "alerts": [
        {
          "id": "cost-c-koza-0002-50",
          "subject": "koza-0002 has reached 50 % of its budget",
          "text": "koza-0002 (account 000000000002, learner l2@example.com) of course c has cost 10.00 USD of 20.00 USD since 2026-01-05. Nothing else was done.\nContacts: a@example.com"
        },
        {
          "id": "cost-c-koza-0003-100",
          "subject": "koza-0003 has reached 100 % of its budget",
          "text": "koza-0003 (account 000000000003, learner l3@example.com) of course c has cost 20.01 USD of 20.00 USD since 2026-01-05. The seat is being frozen: its learner is denied until it is thawed.\nContacts: a@example.com"
        }
      ],
      "freeze": [
        {
          "seat": "koza-0003",
          "account": "000000000003",
          "reason": "koza-0003 has reached 100 % of its budget"
        }
      ],
      "costsKey": "costs/c/2026-01-10.json"
    }
    "#);
    // As long as nothing was sent, a second poll says the same; then it is silent.
    assert_eq!(poll(&o, &r, json!({})).await.unwrap(), answer);
    for alert in &answer.alerts {
        let sent =
            AlertRecord { subject: alert.subject.clone(), text: alert.text.clone(), sent: true, ..Default::default() };
        records::write(&r, &key::alert(&alert.id), &sent).await.unwrap();
    }
    let again = poll(&o, &r, json!({})).await.unwrap();
    assert_eq!((again.alerts.len(), again.freeze.len(), again.seats), (0, 0, 4));
}

#[tokio::test]
async fn a_course_that_closes_is_not_frozen_any_more() {
    let (o, r) = world().await;
    let closing = o.create_policy("koza-closing", "{}").await.unwrap().id;
    o.attach(&closing, "ou-ou-ou-r-root/koza/Active/c").await.unwrap();
    assert_eq!(poll(&o, &r, json!({})).await.unwrap().seats, 0);
}

#[tokio::test]
async fn a_field_that_nobody_knows_is_refused() {
    let (o, r) = world().await;
    assert_eq!(poll(&o, &r, json!({"course": "c"})).await.expect_err("refused").name(), "Invalid");
    assert_eq!(runtime::parse::<Ask>(json!({"execution": "e"})).expect_err("refused").name(), "Invalid");
}

#[test]
fn every_sample_event_is_taken() {
    runtime::take_samples::<Ask>();
}
