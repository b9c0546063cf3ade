//! Moves seats. `MoveAccount` names the unit that it expects the account to leave, so of two movers only one wins.

use organization::{Layout, Organization, SeatMover, SeatPlace, seats_in};
use runtime::{Call, Clock};
use serde::{Deserialize, Serialize};
use shared::ids::SweepId;
use shared::names::State;
use shared::plan::CoursePlan;
use shared::records::{self, Records, key};
use shared::sweep::verdict::Judgement;
use shared::{CourseId, Fault, Names, Seat, SeatName};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// MoveAccount's bucket: 2 a second, 3 at once ("Quotas for AWS Organizations").
const PACE: Duration = Duration::from_millis(500);
const BURST: usize = 3;

/// Payload.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "to", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Ask {
    /// New accounts out of the root.
    Preparing {
        /// The seats.
        seats_key: String,
    },
    /// Seats that are ready, by their records in `run`.
    Available {
        /// The seats.
        seats_key: String,
        /// Prefix of the run's records.
        run: String,
    },
    /// A course's seats out of Available.
    Course {
        /// The course.
        course: CourseId,
    },
    /// Seats that are to be swept by themselves, out of Available or Quarantine.
    Sweeping {
        /// The seats.
        seats: Vec<Seat>,
    },
    /// Swept seats, by their verdicts, to Available or Quarantine.
    Settle {
        /// The sweep.
        sweep: SweepId,
        /// The seats.
        #[serde(default)]
        seats_key: Option<String>,
        /// Or the seats themselves.
        #[serde(default)]
        seats: Option<Vec<Seat>>,
    },
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// All are where they belong.
    pub done: bool,
    /// Otherwise, when to call again.
    pub wait_seconds: u32,
    /// Moved by this call.
    pub moved: usize,
    /// Still to move.
    pub left: usize,
    /// Seats that are not ready, and why.
    pub not_ready: Vec<Held>,
    /// Seats whose verdict is clean.
    pub clean: usize,
    /// Seats that went to Quarantine, and why.
    pub quarantined: Vec<Held>,
}

/// A seat that does not go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// The seat.
    #[serde(flatten)]
    pub seat: Seat,
    /// Its verdict, where it has one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub verdict: String,
    /// Why.
    pub why: String,
}

/// The record of a prepared seat.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Prepared {
    ready: bool,
    why: String,
}

/// One move.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Move {
    seat: Seat,
    from: String,
    to: String,
}

/// Handles one call.
pub async fn handle(
    organization: &impl Organization,
    mover: &impl SeatMover,
    records: &impl Records,
    names: &Names,
    clock: Clock,
    ask: Ask,
    call: Call,
) -> Result<Answer, Fault> {
    let layout = organization.layout(names).await?;
    let places: BTreeMap<SeatName, SeatPlace> = seats_in(organization, names, &layout)
        .await?
        .into_iter()
        .map(|place| (place.seat.seat.clone(), place))
        .collect();
    let mut answer = Answer::default();
    let moves = match ask {
        Ask::Preparing { seats_key } => {
            let root: BTreeSet<_> = organization.accounts_in(&layout.root).await?.into_iter().map(|a| a.id).collect();
            let to = layout.need(&State::Preparing)?.id.clone();
            records::read_seats(records, &seats_key)
                .await?
                .into_iter()
                .filter(|seat| root.contains(&seat.account))
                .map(|seat| Move { seat, from: layout.root.clone(), to: to.clone() })
                .collect()
        }
        Ask::Available { seats_key, run } => {
            let mut ready = Vec::new();
            for seat in records::read_seats(records, &seats_key).await? {
                let prepared: Option<Prepared> = records::read(records, &key::seat_prepared(&run, &seat.seat)).await?;
                match prepared {
                    Some(p) if p.ready => ready.push(seat),
                    other => answer.not_ready.push(Held {
                        seat,
                        verdict: String::new(),
                        why: other.map_or("it was not prepared".to_owned(), |p| p.why),
                    }),
                }
            }
            moves(&layout, &places, ready, &State::Available, |s| matches!(s, State::Preparing))?
        }
        Ask::Course { course } => {
            let plan: CoursePlan = records::read_written(records, &key::plan(&course)).await?;
            let to = State::Active(course);
            let moves = moves(&layout, &places, plan.seats(), &to, |s| matches!(s, State::Available))?;
            let lost: Vec<String> = plan
                .seats()
                .iter()
                .filter(|seat| !is_at(&places, seat, &to) && !moves.iter().any(|m| &m.seat == *seat))
                .map(|seat| seat.seat.to_string())
                .collect();
            if !lost.is_empty() {
                return Err(Fault::conflict(format!("no longer Available: {}", lost.join(", "))));
            }
            moves
        }
        Ask::Sweeping { seats } => {
            moves(&layout, &places, seats, &State::Sweeping, |s| matches!(s, State::Available | State::Quarantine))?
        }
        Ask::Settle { sweep, seats_key, seats } => {
            let seats = match (seats, seats_key) {
                (Some(seats), None) => seats,
                (None, Some(key)) => records::read_seats(records, &key).await?,
                _ => return Err(Fault::invalid("settle takes either seats or seatsKey")),
            };
            let (mut clean, mut other) = (Vec::new(), Vec::new());
            for seat in seats {
                let judgement: Option<Judgement> = records::read(records, &key::verdict(&sweep, &seat.seat)).await?;
                match judgement {
                    Some(j) if j.verdict.is_clean() => clean.push(seat),
                    judgement => {
                        answer.quarantined.push(held(seat.clone(), judgement));
                        other.push(seat);
                    }
                }
            }
            answer.clean = clean.len();
            let from = |s: &State| matches!(s, State::Active(_) | State::Sweeping);
            let mut all = moves(&layout, &places, clean, &State::Available, from)?;
            all.extend(moves(&layout, &places, other, &State::Quarantine, from)?);
            all
        }
    };
    apply(mover, clock, call.deadline, &moves, &mut answer).await?;
    Ok(answer)
}

fn held(seat: Seat, judgement: Option<Judgement>) -> Held {
    match judgement {
        Some(j) => Held { seat, verdict: j.verdict.to_string(), why: j.why },
        None => Held { seat, verdict: "unknown".to_owned(), why: "the sweep left no verdict".to_owned() },
    }
}

fn is_at(places: &BTreeMap<SeatName, SeatPlace>, seat: &Seat, state: &State) -> bool {
    places.get(&seat.seat).is_some_and(|place| &place.state == state && place.seat.account == seat.account)
}

/// The moves of those seats that are now in one of the states that may be left.
fn moves(
    layout: &Layout,
    places: &BTreeMap<SeatName, SeatPlace>,
    seats: Vec<Seat>,
    to: &State,
    from: impl Fn(&State) -> bool,
) -> Result<Vec<Move>, Fault> {
    let target = layout.need(to)?.id.clone();
    let mut moves = Vec::new();
    for seat in seats {
        let Some(place) = places.get(&seat.seat).filter(|p| p.seat == seat) else {
            continue;
        };
        if &place.state != to && from(&place.state) {
            moves.push(Move { seat, from: layout.need(&place.state)?.id.clone(), to: target.clone() });
        }
    }
    Ok(moves)
}

async fn apply(
    mover: &impl SeatMover,
    clock: Clock,
    deadline: Instant,
    moves: &[Move],
    answer: &mut Answer,
) -> Result<(), Fault> {
    for (n, Move { seat, from, to }) in moves.iter().enumerate() {
        if Instant::now() >= deadline {
            answer.left = moves.len() - n;
            answer.wait_seconds = 1;
            return Ok(());
        }
        if n >= BURST {
            clock.sleep(PACE).await;
        }
        mover.move_seat(&seat.account, from, to).await?;
        tracing::info!(seat = seat.seat.as_str(), account.id = seat.account.as_str(), to, "moved");
        answer.moved += 1;
    }
    answer.done = true;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use organization::testing::Cut;
    use organization::{Guardrails, MemoryOrganization};
    use shared::records::MemoryRecords;
    use shared::sweep::verdict::Verdict;

    fn names() -> Names {
        Names::new("koza", "aws+{seat}@example.com")
    }

    fn seat(n: usize) -> Seat {
        Seat { seat: names().seat(n), account: format!("{n:012}").into() }
    }

    /// Three seats of a closing course, one clean, one dirty, one without a verdict; and an account that is no seat.
    async fn closing() -> (MemoryOrganization, MemoryRecords) {
        let (organization, records) = (MemoryOrganization::default(), MemoryRecords::default());
        let pool = organization.create_unit("r-root", "koza").await.unwrap();
        let mut active = String::new();
        for name in shared::names::UNITS {
            let unit = organization.create_unit(&pool.id, name).await.unwrap();
            if name == "Active" {
                active = unit.id;
            }
        }
        let course = organization.create_unit(&active, "c").await.unwrap();
        organization.place("999999999999", "production", "");
        for n in 1..=3 {
            organization.place(seat(n).account.as_str(), seat(n).seat.as_str(), &course.id);
        }
        records::write(&records, "seats", &vec![seat(1), seat(2), seat(3)]).await.unwrap();
        for (n, verdict) in [(1, Verdict::Clean), (2, Verdict::Dirty)] {
            let judgement = Judgement { verdict, why: "because".into(), left: vec![], passes: 1 };
            let key = key::verdict(&"c.1".into(), &seat(n).seat);
            records::write(&records, &key, &judgement).await.unwrap();
        }
        (organization, records)
    }

    fn settle() -> Ask {
        Ask::Settle { sweep: "c.1".into(), seats_key: Some("seats".into()), seats: None }
    }

    fn call() -> Call {
        Call { deadline: Instant::now() + Duration::from_secs(60), now: jiff::Timestamp::UNIX_EPOCH }
    }

    #[tokio::test]
    async fn only_a_clean_verdict_makes_a_seat_available_and_again_changes_nothing() {
        let (organization, records) = closing().await;
        let clock = Clock::new(1_000.0);
        let settle = async |organization: &MemoryOrganization| {
            handle(organization, organization, &records, &names(), clock, settle(), call()).await.unwrap()
        };
        let answer = settle(&organization).await;
        assert!(answer.done);
        assert_eq!((answer.clean, answer.quarantined.len(), answer.moved), (1, 2, 3));
        let world = organization.world();
        let unit = |n: usize| world.accounts[&seat(n).account].unit.clone();
        assert!(unit(1).ends_with("/Available"));
        assert!(unit(2).ends_with("/Quarantine") && unit(3).ends_with("/Quarantine"));
        let again = settle(&organization).await;
        assert_eq!((again.moved, again.clean, again.quarantined.len()), (0, 1, 2));
        assert_eq!(organization.world(), world);
    }

    #[tokio::test]
    async fn cut_anywhere_and_run_again_it_ends_the_same() {
        let (undisturbed, records) = closing().await;
        let clock = Clock::new(1_000.0);
        handle(&undisturbed, &undisturbed, &records, &names(), clock, settle(), call()).await.unwrap();
        for calls in 0..14 {
            let (first, records) = closing().await;
            let (second, _) = closing().await;
            for (cut, organization) in Cut::both([&first, &second], calls).iter().zip([&first, &second]) {
                let _ = handle(cut, cut, &records, &names(), clock, settle(), call()).await;
                handle(organization, organization, &records, &names(), clock, settle(), call()).await.unwrap();
                assert_eq!(organization.world(), undisturbed.world(), "cut after {calls}");
            }
        }
    }

    #[tokio::test]
    async fn a_seat_that_is_active_is_never_taken_for_sweeping() {
        let (organization, records) = closing().await;
        let ask = Ask::Sweeping { seats: vec![seat(1)] };
        let answer =
            handle(&organization, &organization, &records, &names(), Clock::new(1_000.0), ask, call()).await.unwrap();
        assert_eq!(answer.moved, 0);
    }

    #[test]
    fn every_sample_event_is_taken() {
        runtime::take_samples::<Ask>();
    }
}
