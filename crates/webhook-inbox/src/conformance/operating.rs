//! What an operator sees and does.

use super::{Bounds, Subject, accept, bury, claim, key};
use crate::{Accepted, Admin, DeadLetter};

/// Once each, and the key stays known.
pub async fn a_dead_letter_can_be_driven_again_or_discarded(subject: &impl Subject) {
    let store = subject.open(Bounds::default()).await;
    for id in ["again", "never"] {
        accept(&store, id, "x").await.unwrap();
        bury(&store).await;
    }
    let letters = store.dead_letters(None, 10).await.unwrap();
    let seen = |letter: &DeadLetter| {
        let event = &letter.event;
        (event.key().clone(), event.attempt(), letter.reason.clone())
    };
    assert_eq!(
        letters.iter().map(seen).collect::<Vec<_>>(),
        [
            (key("again"), 1, "broken".into()),
            (key("never"), 1, "broken".into())
        ]
    );
    assert_eq!(&letters[0].event.body()[..], b"x");

    assert!(store.redrive(&key("again")).await.unwrap());
    assert!(!store.redrive(&key("again")).await.unwrap());
    assert!(store.discard(&key("never")).await.unwrap());
    assert!(!store.discard(&key("never")).await.unwrap());
    assert!(!store.redrive(&key("never")).await.unwrap());
    assert!(!store.discard(&key("unknown")).await.unwrap());
    let (event, _) = claim(&store).await.unwrap();
    assert_eq!((event.key().id(), event.attempt()), ("again", 1));
    assert!(!store.discard(&key("again")).await.unwrap());
    let again = accept(&store, "never", "x").await.unwrap();
    assert_eq!(again, Accepted::Duplicate);
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.dead, stats.running, stats.done), (0, 1, 1));
    assert_eq!(stats.bytes, 1);
}

/// Every letter on one page, none on two.
pub async fn lists_are_in_order_and_come_in_pages(subject: &impl Subject) {
    const OTHERS: [&str; 3] = ["one", "two", "three"];
    let store = subject.open(Bounds::default()).await;
    for id in ["e", "b", "d", "a", "c"] {
        accept(&store, id, "x").await.unwrap();
        bury(&store).await;
        for other in OTHERS {
            accept(&store, id, other).await.unwrap();
        }
    }
    let mut ids = String::new();
    let mut last = None;
    loop {
        let page = store.dead_letters(last.as_ref(), 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some(letter) = page.last() else { break };
        last = Some(letter.event.key().clone());
        ids.extend(page.iter().map(|letter| letter.event.key().id()));
    }
    assert_eq!(ids, "abcde");

    let mut seen = Vec::new();
    loop {
        let page = store.parked(seen.last(), 4).await.unwrap();
        assert!(page.len() <= 4);
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    let place = |event: &crate::Event| (event.key().clone(), *event.fingerprint().as_bytes());
    assert_eq!(seen.len(), 15);
    assert!(seen.is_sorted_by(|a, b| place(a) < place(b)));
    assert_eq!(store.dead_letters(None, 0).await.unwrap().len(), 0);
    assert_eq!(store.parked(None, 0).await.unwrap().len(), 0);
}
