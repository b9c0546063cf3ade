use super::*;
use serde_json::json;
use shared::records::MemoryRecords;
use std::sync::Mutex;

#[derive(Clone, Debug, Default, PartialEq)]
struct World {
    users: BTreeMap<String, String>,
    groups: BTreeMap<String, Vec<Member>>,
    writes: usize,
}

struct Memory {
    world: Mutex<World>,
    left: Mutex<usize>,
}

impl Memory {
    fn new() -> Self {
        let groups = (1..=3).map(|n| (format!("koza-{n:04}"), Vec::new())).collect();
        let users = [("old@example.com".to_owned(), "u-old".to_owned())].into();
        Self { world: Mutex::new(World { users, groups, writes: 0 }), left: Mutex::new(usize::MAX) }
    }

    fn with<T>(&self, write: bool, f: impl FnOnce(&mut World) -> T) -> Result<T, Fault> {
        let mut left = self.left.lock().unwrap();
        *left = left.checked_sub(1).ok_or_else(|| Fault::broken("cut off"))?;
        let mut world = self.world.lock().unwrap();
        world.writes += usize::from(write);
        Ok(f(&mut world))
    }

    fn world(&self) -> World {
        World { writes: 0, ..self.world.lock().unwrap().clone() }
    }
}

#[async_trait]
impl Directory for Memory {
    async fn users(&self) -> Result<BTreeMap<String, String>, Fault> {
        self.with(false, |w| w.users.clone())
    }
    async fn create_user(&self, learner: &Placement) -> Result<String, Fault> {
        self.with(true, |w| {
            let id = format!("u-{}", learner.email);
            assert!(w.users.insert(learner.email.clone(), id.clone()).is_none(), "made twice");
            id
        })
    }
    async fn delete_user(&self, user: &str) -> Result<(), Fault> {
        self.with(true, |w| w.users.retain(|_, id| id != user))
    }
    async fn groups(&self) -> Result<BTreeMap<String, String>, Fault> {
        self.with(false, |w| w.groups.keys().map(|name| (name.clone(), name.clone())).collect())
    }
    async fn members(&self, group: &str) -> Result<Vec<Member>, Fault> {
        self.with(false, |w| w.groups[group].clone())
    }
    async fn is_in_a_group(&self, user: &str) -> Result<bool, Fault> {
        self.with(false, |w| w.groups.values().flatten().any(|m| m.user == user))
    }
    async fn join(&self, group: &str, user: &str) -> Result<(), Fault> {
        let member = Member { membership: format!("{group}/{user}"), user: user.to_owned() };
        self.with(true, |w| w.groups.get_mut(group).expect("a group").push(member))
    }
    async fn leave(&self, membership: &str) -> Result<(), Fault> {
        self.with(true, |w| w.groups.values_mut().for_each(|g| g.retain(|m| m.membership != membership)))
    }
}

async fn records() -> MemoryRecords {
    let records = MemoryRecords::default();
    let seats: Vec<_> = ["old@example.com", "new@example.com", "third@example.com"]
        .iter()
        .enumerate()
        .map(|(n, email)| {
            json!({"seat": format!("koza-{:04}", n + 1), "account": format!("{:012}", n + 1), "email": email,
                "givenName": "花子", "familyName": "佐藤"})
        })
        .collect();
    let plan = json!({
        "course": "c", "title": "C", "starts": "2026-01-01", "ends": "2026-02-01", "regions": ["ap-northeast-1"],
        "services": ["s3"], "seatBudgetUsd": "20.00", "thresholds": [], "contacts": [], "seats": seats
    });
    records::write(&records, &key::plan(&"c".into()), &plan).await.unwrap();
    records
}

async fn ask(directory: &Memory, records: &MemoryRecords, what: &str) -> Result<Answer, Fault> {
    let ask = runtime::parse(json!({"do": what, "course": "c"}))?;
    handle(directory, records, Clock::new(1e4), ask, Instant::now() + Duration::from_secs(60)).await
}

const STEPS: [&str; 4] = ["make-users", "enrol", "end", "remove-users"];

#[tokio::test]
async fn each_step_twice_is_once_and_only_our_users_go_at_the_end() {
    let (directory, records) = (Memory::new(), records().await);
    let before = directory.world();
    for step in STEPS {
        assert!(ask(&directory, &records, step).await.unwrap().done);
        let (world, writes) = (directory.world(), directory.world.lock().unwrap().writes);
        if step == "enrol" {
            assert_eq!(world.groups["koza-0002"][0].user, "u-new@example.com");
        }
        assert_eq!(ask(&directory, &records, step).await.unwrap().changed, 0, "{step}");
        assert_eq!(directory.world.lock().unwrap().writes, writes, "{step}");
    }
    assert_eq!(directory.world(), before, "the old user stays, the others are gone");
}

#[tokio::test]
async fn cut_anywhere_it_ends_the_same() {
    for step in 0..STEPS.len() {
        for calls in 0..12 {
            let (directory, records) = (Memory::new(), records().await);
            for before in &STEPS[..step] {
                ask(&directory, &records, before).await.unwrap();
            }
            *directory.left.lock().unwrap() = calls;
            let _ = ask(&directory, &records, STEPS[step]).await;
            *directory.left.lock().unwrap() = usize::MAX;
            for rest in &STEPS[step..] {
                ask(&directory, &records, rest).await.unwrap();
            }
            assert_eq!(directory.world(), Memory::new().world(), "{} cut after {calls}", STEPS[step]);
        }
    }
}

#[tokio::test]
async fn nobody_joins_a_group_that_is_not_empty() {
    let (directory, records) = (Memory::new(), records().await);
    directory.join("koza-0002", "u-stranger").await.unwrap();
    ask(&directory, &records, "make-users").await.unwrap();
    ask(&directory, &records, "enrol").await.unwrap();
    let record: LearnerRecord =
        records::read_written(&records, &key::learner(&"c".into(), &"koza-0002".into())).await.unwrap();
    assert!(!record.enrolled && record.why.contains("u-stranger"), "{record:?}");
    assert_eq!(directory.world().groups["koza-0002"].len(), 1);
}

#[tokio::test]
async fn ending_an_old_course_again_does_not_touch_the_next_one() {
    let (directory, records) = (Memory::new(), records().await);
    for step in ["make-users", "enrol", "end"] {
        ask(&directory, &records, step).await.unwrap();
    }
    directory.join("koza-0001", "u-of-the-next-course").await.unwrap();
    ask(&directory, &records, "end").await.unwrap();
    assert_eq!(directory.world().groups["koza-0001"].len(), 1);
}

#[test]
fn a_missing_or_misspelt_field_is_refused() {
    for wrong in [json!({"do": "enrol"}), json!({"do": "enroll", "course": "c"}), json!({"do": "end", "curse": "c"})] {
        assert_eq!(runtime::parse::<Ask>(wrong.clone()).expect_err("refused").name(), "Invalid", "{wrong}");
    }
}

#[test]
fn every_sample_event_is_taken() {
    runtime::take_samples::<Ask>();
}
