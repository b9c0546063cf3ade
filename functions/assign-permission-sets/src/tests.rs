use super::*;
use serde_json::json;
use shared::records::MemoryRecords;
use std::sync::Mutex;

#[derive(Clone, Debug, Default, PartialEq)]
struct World {
    set: Option<String>,
    references: BTreeSet<String>,
    groups: BTreeMap<String, String>,
    provisioned: BTreeSet<AccountId>,
    flying: BTreeSet<AccountId>,
    asked: usize,
    most_flying: usize,
}

/// Identity Center in memory: what is asked for flies until `land`.
#[derive(Default)]
struct Memory {
    world: Mutex<World>,
    failures: Vec<Failure>,
    left: Mutex<Option<usize>>,
}

impl Memory {
    fn with<T>(&self, f: impl FnOnce(&mut World) -> T) -> Result<T, Fault> {
        if let Some(left) = self.left.lock().unwrap().as_mut() {
            *left = left.checked_sub(1).ok_or_else(|| Fault::broken("cut off"))?;
        }
        Ok(f(&mut self.world.lock().unwrap()))
    }

    fn land(&self) {
        let mut world = self.world.lock().unwrap();
        let flying = std::mem::take(&mut world.flying);
        world.provisioned.extend(flying);
    }
}

#[async_trait]
impl IdentityCenter for Memory {
    async fn permission_set(&self, _: &str) -> Result<Option<String>, Fault> {
        self.with(|w| w.set.clone())
    }
    async fn create_permission_set(&self, name: &str) -> Result<String, Fault> {
        self.with(|w| w.set.insert(name.to_owned()).clone())
    }
    async fn references(&self, _: &str) -> Result<BTreeSet<String>, Fault> {
        self.with(|w| w.references.clone())
    }
    async fn refer(&self, _: &str, policy: &str, _: &str) -> Result<(), Fault> {
        self.with(|w| {
            w.references.insert(policy.to_owned());
        })
    }
    async fn groups(&self) -> Result<BTreeMap<String, String>, Fault> {
        self.with(|w| w.groups.clone())
    }
    async fn create_group(&self, name: &str) -> Result<String, Fault> {
        self.with(|w| {
            assert!(w.groups.insert(name.to_owned(), format!("g-{name}")).is_none(), "a second group {name}");
            format!("g-{name}")
        })
    }
    async fn provisioned(&self, _: &str) -> Result<BTreeSet<AccountId>, Fault> {
        self.with(|w| w.provisioned.clone())
    }
    async fn in_flight(&self) -> Result<BTreeSet<AccountId>, Fault> {
        self.with(|w| w.flying.clone())
    }
    async fn failures(&self) -> Result<Vec<Failure>, Fault> {
        Ok(self.failures.clone())
    }
    async fn assign(&self, _: &str, account: &AccountId, _: &str) -> Result<(), Fault> {
        self.with(|w| {
            w.asked += 1;
            assert!(w.flying.insert(account.clone()), "asked twice");
            w.most_flying = w.most_flying.max(w.flying.len());
        })
    }
}

async fn once(center: &Memory) -> Result<Answer, Fault> {
    let records = MemoryRecords::default();
    let seats: Vec<_> =
        (1..=40).map(|n| json!({"seat": format!("koza-{n:04}"), "account": format!("{n:012}")})).collect();
    records::write(&records, "seats", &seats).await?;
    let call = Call { deadline: Instant::now() + Duration::from_secs(60), now: Timestamp::UNIX_EPOCH };
    let ask = runtime::parse(json!({"for": "pool", "seatsKey": "seats"}))?;
    handle(center, &records, &Names::new("koza", "a+{seat}@e.jp"), Clock::new(1e4), ask, call).await
}

async fn until_done(center: &Memory) {
    for _ in 0..20 {
        if once(center).await.expect("no fault").done {
            return;
        }
        center.land();
    }
    panic!("not done");
}

#[tokio::test]
async fn never_more_than_fifteen_in_flight_and_done_only_when_all_landed() {
    let center = Memory::default();
    let first = once(&center).await.unwrap();
    assert_eq!((first.done, first.in_flight, first.left), (false, 15, 40));
    assert_eq!(once(&center).await.unwrap().in_flight, 15, "nothing landed, nothing new is asked");
    until_done(&center).await;
    let world = center.world.lock().unwrap().clone();
    assert_eq!((world.asked, world.most_flying, world.groups.len()), (40, MOST_IN_FLIGHT, 40));
    assert_eq!(world.references.len(), 2);
    until_done(&center).await;
    assert_eq!(*center.world.lock().unwrap(), world, "the second time nothing is written");
}

#[tokio::test]
async fn cut_anywhere_nothing_is_asked_twice() {
    for calls in 0..50 {
        let center = Memory { left: Mutex::new(Some(calls)), ..Memory::default() };
        let _ = once(&center).await;
        *center.left.lock().unwrap() = None;
        until_done(&center).await;
        assert_eq!(center.world.lock().unwrap().asked, 40, "cut after {calls}");
    }
}

#[tokio::test]
async fn what_aws_gave_up_is_told_with_its_reason() {
    let failure = Failure {
        account: "000000000001".into(),
        reason: "the policy koza-learner-1 is not in the account".into(),
        at: Timestamp::UNIX_EPOCH,
    };
    let center = Memory { failures: vec![failure], ..Memory::default() };
    let told = once(&center).await.expect_err("told").chain();
    assert!(told.contains("000000000001") && told.contains("koza-learner-1"), "{told}");
}

#[test]
fn a_missing_or_misspelt_field_is_refused() {
    for wrong in [json!({"for": "pool"}), json!({"for": "pool", "seatskey": "s"}), json!({"seatsKey": "s"})] {
        assert_eq!(runtime::parse::<Ask>(wrong.clone()).expect_err("refused").name(), "Invalid", "{wrong}");
    }
}

#[test]
fn every_sample_event_is_taken() {
    runtime::take_samples::<Ask>();
}
