use super::*;
use organization::{Guardrails, MemoryOrganization};
use serde_json::json;
use shared::records::MemoryRecords;

const COURSE: &str = "course: c-2026\ntitle: C\nstarts: 2026-01-01\nends: 2026-02-01\nregions: [ap-northeast-1]\n\
                      services: [s3]\nprofile: serverless-chatbot\nseatBudgetUsd: 20\n\
                      thresholds:\n  - {percent: 100, do: freeze}\ncontacts: [a@example.com]\n";

fn names() -> Names {
    Names::new("koza", "aws+{seat}@example.com")
}

async fn world(seats: usize, roster: &str) -> (MemoryOrganization, MemoryRecords) {
    let (organization, records) = (MemoryOrganization::default(), MemoryRecords::default());
    let pool = organization.create_unit("r-root", "koza").await.unwrap().id;
    let available = organization.create_unit(&pool, "Available").await.unwrap().id;
    let active = organization.create_unit(&pool, "Active").await.unwrap().id;
    organization.create_unit(&active, "c-2026").await.unwrap();
    for n in 1..=seats {
        organization.place(&format!("{n:012}"), &format!("koza-{n:04}"), &available);
    }
    records.put(&key::course_file(&"c-2026".into()), COURSE.into()).await.unwrap();
    records.put(&key::roster(&"c-2026".into()), roster.into()).await.unwrap();
    (organization, records)
}

async fn ask(o: &MemoryOrganization, r: &MemoryRecords, what: &str) -> Result<serde_json::Value, Fault> {
    let ask = json!({"for": what, "execution": "e", "input": {"course": "c-2026"}});
    let answer = handle(o, r, &names(), runtime::parse(ask)?).await?;
    Ok(serde_json::to_value(answer).unwrap())
}

const TWO: &str = "email,name\na@example.com,A\nb@example.com,B\n";

#[tokio::test]
async fn the_same_input_gives_the_same_plan_and_a_lost_seat_is_replaced() {
    let (o, r) = world(3, TWO).await;
    let first = ask(&o, &r, "open").await.unwrap();
    insta::assert_json_snapshot!(first, @r#"
    {
      "course": "c-2026",
      "title": "C",
      "already": false,
      "learners": 2,
      "seatsKey": "courses/c-2026/seats.json",
      "regions": [
        "ap-northeast-1"
      ]
    }
    "#);
    let before = r.all();
    assert_eq!(ask(&o, &r, "open").await.unwrap(), first);
    assert_eq!(r.all(), before);
    o.place("000000000001", "koza-0001", "ou-ou-r-root/koza/Active");
    ask(&o, &r, "open").await.unwrap();
    let plan: CoursePlan = records::read_written(&r, &key::plan(&"c-2026".into())).await.unwrap();
    let seats: Vec<_> = plan.seats.iter().map(|p| (p.email.as_str(), p.seat.seat.as_str())).collect();
    assert_eq!(seats, [("a@example.com", "koza-0003"), ("b@example.com", "koza-0002")]);
}

#[tokio::test]
async fn wrong_input_writes_only_its_complaints() {
    for (seats, roster, why) in [
        (1, TWO, "2 learners, but 1 seats are Available"),
        (3, "name\nA\n", "no column with e-mail"),
        (3, "email,name\na@example.com,A\nA@example.com,B\n", "roster.csv:3"),
    ] {
        let (o, r) = world(seats, roster).await;
        let before = o.world();
        let refused = ask(&o, &r, "open").await.expect_err("refused");
        assert_eq!(refused.name(), "Invalid");
        assert!(refused.chain().contains(why), "{}", refused.chain());
        assert_eq!(o.world(), before);
        assert!(r.get(&key::plan(&"c-2026".into())).await.unwrap().is_none());
        assert!(r.get(&key::complaints(&"c-2026".into())).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn an_open_course_is_left_alone_and_a_closed_one_too() {
    let (o, r) = world(3, TWO).await;
    ask(&o, &r, "open").await.unwrap();
    let unit = "ou-ou-ou-r-root/koza/Active/c-2026";
    for n in 1..=2 {
        let seat = format!("koza-{n:04}");
        o.place(&format!("{n:012}"), &seat, unit);
        let learner = LearnerRecord { proved: true, enrolled: true, ..LearnerRecord::default() };
        records::write(&r, &key::learner(&"c-2026".into(), &seat.as_str().into()), &learner).await.unwrap();
    }
    assert_eq!(ask(&o, &r, "open").await.unwrap()["already"], true);
    let close = ask(&o, &r, "close").await.unwrap();
    assert_eq!((close["sweep"].as_str(), close["count"].as_u64()), (Some("c-2026.1"), Some(2)));
    assert!(ask(&o, &r, "open").await.expect_err("closing").chain().contains("being closed"));
    // A second attempt, after the first was cut off, is a sweep of its own.
    assert_eq!(ask(&o, &r, "close").await.unwrap()["sweep"], "c-2026.2");
    for n in 1..=2 {
        let seat = format!("koza-{n:04}");
        o.place(&format!("{n:012}"), &seat, "ou-ou-r-root/koza/Available");
        records::write(&r, &key::learner(&"c-2026".into(), &seat.as_str().into()), &LearnerRecord::default())
            .await
            .unwrap();
    }
    // Cut off before it was told: told now.
    assert_eq!(ask(&o, &r, "close").await.unwrap()["count"], 0);
    let told = AlertRecord { sent: true, ..AlertRecord::default() };
    records::write(&r, &key::course_closed(&"c-2026".into()), &told).await.unwrap();
    assert!(ask(&o, &r, "close").await.expect_err("closed").chain().contains("closed already"));
    assert!(ask(&o, &r, "open").await.expect_err("closed").chain().contains("was closed"));
}

#[test]
fn a_missing_or_misspelt_field_is_refused() {
    for wrong in [
        json!({"for": "open", "execution": "e", "input": {}}),
        json!({"for": "open", "execution": "e", "input": {"curse": "c"}}),
        json!({"for": "close", "execution": "e", "input": {"course": "c", "force": true}}),
        json!({"for": "open", "execution": "e"}),
    ] {
        assert_eq!(runtime::parse::<Ask>(wrong.clone()).expect_err("refused").name(), "Invalid", "{wrong}");
    }
}

#[test]
fn every_sample_event_is_taken() {
    runtime::take_samples::<Ask>();
}
