//! Each probe goes red for the fault it is there for, in both faces.
#![allow(clippy::panic, clippy::unwrap_used, reason = "these are tests")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use golive_core::{Call, Exchange, Middleware, Own, Request, Response};
use golive_testkit::{ReqwestFace, TowerFace, probes};

macro_rules! faulty {
    ($name:ident $(: $field:ty)?, |$this:ident, $call:ident, $req:ident, $below:ident| $body:block) => {
        #[derive(Clone, Debug, Default)]
        struct $name $(($field))?;

        impl Middleware for $name {
            async fn handle<Req: Request, X: Exchange<Req>>(
                &self,
                $call: &mut Call,
                #[allow(unused_mut, reason = "not every fault changes the request")] mut $req: Req,
                mut $below: X,
            ) -> Result<X::Response, X::Error> {
                let $this = self;
                let _ = $this;
                $body
            }
        }

        golive_core::faces!($name);
    };
}

macro_rules! goes_red {
    ($name:ident, $fault:ident, $probe:ident, $why:literal) => {
        mod $name {
            use super::*;

            #[tokio::test(start_paused = true)]
            #[should_panic(expected = $why)]
            async fn tower() {
                probes::$probe::<TowerFace, _>($fault::default).await;
            }

            #[tokio::test(start_paused = true)]
            #[should_panic(expected = $why)]
            async fn reqwest() {
                probes::$probe::<ReqwestFace, _>($fault::default).await;
            }
        }
    };
}

#[derive(Debug, thiserror::Error)]
#[error("wrapped")]
struct Wrapped;

faulty!(Wraps, |_this, call, req, below| {
    below
        .send(call, req)
        .await
        .map_err(|_| Own::new(Wrapped).into())
});
goes_red!(
    an_error_is_wrapped,
    Wraps,
    errors_are_handed_on_untouched,
    "wrapped"
);

faulty!(Holds, |_this, call, req, below| {
    let spare = req.try_clone();
    let response = below.send(call, req).await?;
    match spare {
        Some(spare) if response.status() == 503 => {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(response);
            below.send(call, spare).await
        }
        _ => Ok(response),
    }
});
goes_red!(
    a_response_is_held_while_sleeping,
    Holds,
    a_failed_response_is_released_before_a_sleep,
    "held for"
);

faulty!(Locks: Arc<AtomicBool>, |this, call, req, below| {
    while this.0.swap(true, Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let result = below.send(call, req).await;
    this.0.store(false, Ordering::SeqCst);
    result
});
goes_red!(
    a_lock_outlives_its_caller,
    Locks,
    cancellation_leaves_nothing_behind,
    "stuck"
);

faulty!(RefusesStreams, |_this, call, req, below| {
    if req.try_clone().is_none() {
        return Err(Own::new(Wrapped).into());
    }
    below.send(call, req).await
});
#[tokio::test(start_paused = true)]
#[should_panic(expected = "sent 0 times")]
async fn a_stream_is_refused_before_it_is_sent() {
    probes::a_body_that_cannot_be_cloned_is_sent_once_and_whole::<ReqwestFace, _>(|| {
        RefusesStreams
    })
    .await;
}

faulty!(SendsPartOfAStream, |_this, call, req, below| {
    let spare = req.try_clone();
    let result = below.send(call, req).await;
    match spare {
        Some(spare) if !result.as_ref().is_ok_and(|r| r.status().is_success()) => {
            below.send(call, spare).await
        }
        _ => result,
    }
});
#[tokio::test(start_paused = true)]
#[should_panic(expected = "the body was not whole")]
async fn a_stream_is_sent_again_although_it_is_no_longer_whole() {
    probes::a_body_that_cannot_be_cloned_is_sent_once_and_whole::<TowerFace, _>(|| {
        SendsPartOfAStream
    })
    .await;
}

faulty!(Forgets, |_this, call, req, below| {
    let mut response = below.send(call, req).await?;
    response.extensions_mut().clear();
    Ok(response)
});
goes_red!(
    a_response_loses_its_extensions,
    Forgets,
    responses_are_handed_on_whole,
    "extensions"
);
