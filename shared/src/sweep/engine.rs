//! Lists, disarms and deletes: all Regions at once, kinds in their order, within a time.

use super::admission::Admitted;
use super::{Answer, Class, Found, Kind, Left, ListError, Outcome, Scope, Standing, Unknown, facts};
use futures::{StreamExt, stream};
use std::collections::BTreeMap;
use std::time::Instant;

/// How many left things an answer names: six families in one state's data stay far below 256 KiB.
pub const MOST_LEFT: usize = 20;
/// Calls under way at once in one function.
const AT_ONCE: usize = 24;
/// Rounds over the same family without waiting, while each round still gets something going.
const ROUNDS: usize = 3;
/// Where global kinds are asked.
const HOME: &str = "us-east-1";

/// A family's kinds and its clients, one set a Region.
pub struct Family<'a, C> {
    /// `storage` for sweep-storage.
    pub name: &'a str,
    /// The kinds that the function has.
    pub kinds: &'a [&'a dyn Kind<C>],
    /// Clients by Region. us-east-1 is always among them.
    pub clients: &'a BTreeMap<String, C>,
    /// When to stop asking and answer `done: false`.
    pub deadline: Instant,
}

/// One found thing with where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    kind: usize,
    region: String,
    found: Found,
}

/// Kind, Region, and what listing it there answered.
type Looked<'a> = (usize, &'a String, Result<Vec<Found>, ListError>);

struct Listing {
    items: Vec<Item>,
    unknown: Vec<Unknown>,
}

impl<C: Sync> Family<'_, C> {
    /// What is there, with nothing asked. `whole` receives every item for the record.
    pub async fn list(&self, whole: &mut Vec<Left>) -> Answer {
        let Listing { items, unknown } = self.look(0..self.kinds.len()).await;
        let left: Vec<Left> = items.iter().map(|i| self.left(i, None)).collect();
        whole.extend(left.iter().cloned());
        self.answer(items.len(), 0, left, unknown, true)
    }

    /// Lifts protection from everything, and asks nothing to go.
    pub async fn disarm(&self, _admitted: &Admitted) -> Answer {
        let Listing { items, unknown } = self.look(0..self.kinds.len()).await;
        let outcomes = self.each(&items, Ask::Disarm).await;
        let left = items
            .iter()
            .zip(&outcomes)
            .filter(|(_, o)| !matches!(o, Outcome::Gone | Outcome::Asked))
            .map(|(i, o)| self.left(i, Some(o)))
            .collect();
        self.answer(items.len(), 0, left, unknown, Instant::now() < self.deadline)
    }

    /// Disarms and deletes, kinds in their order, again while a round got something going.
    pub async fn delete(&self, _admitted: &Admitted) -> Answer {
        let mut left: BTreeMap<(usize, String, String), Left> = BTreeMap::new();
        let mut unknown = Vec::new();
        let (mut seen, mut asked) = (0, 0);
        for round in 0..ROUNDS {
            left.clear();
            unknown.clear();
            let mut blocked = false;
            let mut moved = false;
            for level in self.levels() {
                if Instant::now() >= self.deadline {
                    break;
                }
                let listing = self.look(level.into_iter()).await;
                unknown.extend(listing.unknown);
                if round == 0 {
                    seen += listing.items.len();
                }
                let deletable: Vec<Item> =
                    listing.items.iter().filter(|i| i.found.standing == Standing::Deletable).cloned().collect();
                for item in &listing.items {
                    if item.found.standing != Standing::Deletable {
                        left.insert(self.key(item), self.left(item, None));
                    }
                }
                // All of a level is disarmed before any of it is deleted: security groups may refer to each other.
                let disarmed = self.each(&deletable, Ask::Disarm).await;
                let (ready, waiting): (Vec<_>, Vec<_>) =
                    deletable.into_iter().zip(disarmed).partition(|(_, o)| matches!(o, Outcome::Gone | Outcome::Asked));
                for (item, outcome) in &waiting {
                    left.insert(self.key(item), self.left(item, Some(outcome)));
                }
                let ready: Vec<Item> = ready.into_iter().map(|(item, _)| item).collect();
                let outcomes = self.each(&ready, Ask::Delete).await;
                for (item, outcome) in ready.iter().zip(&outcomes) {
                    match outcome {
                        Outcome::Gone => moved = true,
                        Outcome::Asked => {
                            moved = true;
                            asked += 1;
                        }
                        other => {
                            blocked |= matches!(other, Outcome::Blocked(_));
                            left.insert(self.key(item), self.left(item, Some(other)));
                        }
                    }
                }
            }
            if !blocked || !moved || Instant::now() >= self.deadline {
                break;
            }
        }
        let done = Instant::now() < self.deadline;
        self.answer(seen, asked, left.into_values().collect(), unknown, done)
    }

    /// Kinds by how many levels of `after` stand before them.
    fn levels(&self) -> Vec<Vec<usize>> {
        fn depth(id: &str) -> usize {
            facts(id).map(|f| f.after.iter().map(|a| depth(a) + 1).max().unwrap_or(0)).unwrap_or(0)
        }
        let mut levels: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (n, kind) in self.kinds.iter().enumerate() {
            levels.entry(depth(kind.id())).or_default().push(n);
        }
        levels.into_values().collect()
    }

    async fn look(&self, kinds: impl Iterator<Item = usize>) -> Listing {
        let mut places = Vec::new();
        for n in kinds {
            let scope = facts(self.kinds[n].id()).map(|f| f.scope);
            for (region, client) in self.clients {
                if scope != Some(Scope::Global) || region == HOME {
                    places.push((n, region, client));
                }
            }
        }
        let mut answers: Vec<Looked> = stream::iter(places)
            .map(|(n, region, client)| async move { (n, region, self.kinds[n].list(client).await) })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        answers.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        let mut listing = Listing { items: Vec::new(), unknown: Vec::new() };
        for (kind, region, answer) in answers {
            match answer {
                Ok(found) => {
                    listing.items.extend(found.into_iter().map(|found| Item { kind, region: region.clone(), found }))
                }
                Err(error) => listing.unknown.push(Unknown {
                    kind: self.kinds[kind].id().to_owned(),
                    region: region.clone(),
                    why: short(&error.0),
                }),
            }
        }
        listing
    }

    async fn each(&self, items: &[Item], ask: Ask) -> Vec<Outcome> {
        stream::iter(items)
            .map(|item| async move {
                if Instant::now() >= self.deadline {
                    return Outcome::Later("out of time in this call".to_owned());
                }
                let (kind, client) = (self.kinds[item.kind], &self.clients[&item.region]);
                let outcome = match ask {
                    Ask::Disarm if item.found.standing != Standing::Deletable => Outcome::Gone,
                    Ask::Disarm => kind.disarm(client, &item.found).await,
                    Ask::Delete => kind.delete(client, &item.found).await,
                };
                tracing::info!(
                    kind.id = kind.id(), region = item.region, thing = item.found.id,
                    ask = ?ask, outcome = ?outcome, "sweep"
                );
                outcome
            })
            .buffered(AT_ONCE)
            .collect()
            .await
    }

    fn key(&self, item: &Item) -> (usize, String, String) {
        (item.kind, item.region.clone(), item.found.id.clone())
    }

    fn left(&self, item: &Item, outcome: Option<&Outcome>) -> Left {
        let (class, why) = match (outcome, &item.found.standing) {
            (Some(Outcome::Blocked(why)), _) => (Class::Blocked, why.clone()),
            (Some(Outcome::Later(why)), _) => (Class::InProgress, why.clone()),
            (Some(Outcome::Refused(why)), _) => (Class::Refused, why.clone()),
            (Some(Outcome::Cannot(why)), _) => (Class::Protected, why.clone()),
            (Some(Outcome::Failed(why)), _) => (Class::Failed, why.clone()),
            (_, Standing::Going) => (Class::InProgress, "is being deleted".to_owned()),
            (_, Standing::Edited(why)) => (Class::Edited, why.clone()),
            (_, Standing::Pending(until)) => (Class::Pending, format!("goes by {until}")),
            (_, Standing::Cannot(why)) => (Class::Protected, why.clone()),
            (_, Standing::Deletable) => (Class::Found, String::new()),
        };
        let id = self.kinds[item.kind].id();
        let global = facts(id).is_some_and(|f| f.scope == Scope::Global);
        Left {
            kind: id.to_owned(),
            id: item.found.id.clone(),
            region: if global { "global".to_owned() } else { item.region.clone() },
            why: short(&why),
            class,
        }
    }

    fn answer(&self, found: usize, asked: usize, mut left: Vec<Left>, unknown: Vec<Unknown>, done: bool) -> Answer {
        let left_more = left.len().saturating_sub(MOST_LEFT);
        let blocked = left.iter().filter(|l| l.class == Class::Blocked).count();
        // What decides a verdict must not be cut off.
        left.sort_by_key(|l| !matches!(l.class, Class::Edited | Class::Protected | Class::Refused));
        left.truncate(MOST_LEFT);
        Answer { family: self.name.to_owned(), done, found, asked, blocked, left, left_more, unknown }
    }
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Disarm,
    Delete,
}

fn short(text: &str) -> String {
    text.chars().take(160).collect()
}
