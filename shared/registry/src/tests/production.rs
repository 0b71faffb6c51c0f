use fault::{Fault, Kind};

use super::{MODEL, fixtures, published};
use crate::{Action, AliasEntry, Error, Move, Registry, VersionId};

fn promotion(version: &VersionId, decision: &str) -> Move {
    let (version, decision) = (version.clone(), decision.to_owned());
    Move { version, action: Action::Promote, decision, reason: "it is better".to_owned() }
}

async fn serving(registry: &Registry) -> Option<VersionId> {
    registry.production(MODEL).await.unwrap().map(|entry| entry.version)
}

#[tokio::test]
async fn production_moves_and_moves_back() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let (one, two) = (published(registry, "w1").await, published(registry, "w2").await);
        assert_eq!(serving(registry).await, None);
        let first = registry.move_production(MODEL, None, &promotion(&one, "d1")).await.unwrap();
        assert_eq!((first.sequence, first.previous), (1, None));
        let second = registry.move_production(MODEL, Some(&one), &promotion(&two, "d2")).await.unwrap();
        assert_eq!((second.sequence, second.previous), (2, Some(one.clone())));
        assert_eq!(serving(registry).await, Some(two.clone()));
        let back = Move { action: Action::Rollback, ..promotion(&one, "d3") };
        registry.move_production(MODEL, Some(&two), &back).await.unwrap();
        assert_eq!(serving(registry).await, Some(one));
        let history = registry.alias_history(MODEL).await.unwrap();
        let decisions: Vec<&str> = history.iter().map(|entry| entry.decision.as_str()).collect();
        assert_eq!(decisions, ["d1", "d2", "d3"]);
    }
}

#[tokio::test]
async fn a_wrong_expectation_leaves_production_alone() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let (one, two) = (published(registry, "w1").await, published(registry, "w2").await);
        registry.move_production(MODEL, None, &promotion(&one, "d1")).await.unwrap();
        for wrong in [None, Some(&two)] {
            let error = registry.move_production(MODEL, wrong, &promotion(&two, "d2")).await.unwrap_err();
            let Error::ProductionMoved { expected, actual, .. } = &error else { panic!("{error:?}") };
            assert_eq!((expected.as_ref(), actual.as_ref()), (wrong, Some(&one)));
            assert_eq!(error.kind(), Kind::Conflict);
        }
        assert_eq!(serving(registry).await, Some(one));
    }
}

#[tokio::test]
async fn a_version_that_does_not_exist_cannot_serve() {
    let registry = &fixtures()[0].registry;
    let unknown: VersionId = "0".repeat(64).parse().unwrap();
    let error = registry.move_production(MODEL, None, &promotion(&unknown, "d1")).await.unwrap_err();
    assert!(matches!(error, Error::VersionNotFound { .. }));
    assert_eq!(serving(registry).await, None);
}

#[tokio::test]
async fn the_same_decision_again_is_a_replay() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let (one, two) = (published(registry, "w1").await, published(registry, "w2").await);
        let first = registry.move_production(MODEL, None, &promotion(&one, "d1")).await.unwrap();
        registry.move_production(MODEL, Some(&one), &promotion(&two, "d2")).await.unwrap();
        // Its expectation no longer holds, and it has its answer all the same.
        let replay = registry.move_production(MODEL, None, &promotion(&one, "d1")).await.unwrap();
        assert_eq!(replay, first);
        assert_eq!(serving(registry).await, Some(two));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_challengers_with_one_expectation_exactly_one_wins() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let versions =
            [published(registry, "w0").await, published(registry, "w1").await, published(registry, "w2").await];
        let mut expected: Option<VersionId> = None;
        for round in 0..50 {
            let others = versions.iter().filter(|version| Some(*version) != expected.as_ref()).take(2);
            let challengers = others.enumerate().map(|(idx, version)| {
                let (registry, expected) = (registry.clone(), expected.clone());
                let request = promotion(version, &format!("{round}-{idx}"));
                tokio::spawn(async move { registry.move_production(MODEL, expected.as_ref(), &request).await })
            });
            let results = futures::future::join_all(challengers).await.into_iter().map(Result::unwrap);
            let (won, lost): (Vec<_>, Vec<_>) = results.partition(Result::is_ok);
            let [Ok(won)] = won.as_slice() else { panic!("{} moves won in round {round}", won.len()) };
            let [Err(Error::ProductionMoved { actual, .. })] = lost.as_slice() else { panic!("{lost:?}") };
            assert_eq!(actual.as_ref(), Some(&won.version), "the loser is told what serves");
            expected = Some(won.version.clone());
            assert_eq!(serving(registry).await, expected);
        }
        let history = registry.alias_history(MODEL).await.unwrap();
        assert_eq!(history.len(), 50);
        for pair in history.windows(2) {
            assert_eq!(pair[1].previous.as_ref(), Some(&pair[0].version), "every move began where the last ended");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_decision_from_many_callers_moves_once() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let one = published(registry, "w1").await;
        let callers = (0..8).map(|_| {
            let (registry, request) = (registry.clone(), promotion(&one, "d1"));
            tokio::spawn(async move { registry.move_production(MODEL, None, &request).await.unwrap() })
        });
        let answers: Vec<AliasEntry> =
            futures::future::join_all(callers).await.into_iter().map(Result::unwrap).collect();
        assert!(answers.iter().all(|entry| *entry == answers[0]), "all get one answer");
        assert_eq!(registry.alias_history(MODEL).await.unwrap().len(), 1);
    }
}
