/// Runs the contract over a middleware in both faces: one test per probe and face.
///
/// Takes an expression that builds the middleware; it is evaluated anew for every probe, inside a
/// tokio runtime whose clock is paused. The calling crate needs `tokio` with `macros`, `rt` and
/// `test-util` among its dev-dependencies, and its own features `tower` and `reqwest`.
#[macro_export]
macro_rules! contract {
    ($make:expr) => {
        $crate::contract!(@face tower, $crate::TowerFace, $make);
        $crate::contract!(@face reqwest, $crate::ReqwestFace, $make);
    };
    (@face $name:ident, $face:ty, $make:expr) => {
        mod $name {
            #[allow(unused_imports, reason = "the expression may name what is in scope outside")]
            use super::*;

            $crate::contract!(@probes $face, $make,
                every_attempt_is_ready_and_alone
                errors_are_handed_on_untouched
                responses_are_handed_on_whole
                a_body_that_cannot_be_cloned_is_sent_once_and_whole
                a_failed_response_is_released_before_a_sleep
                cancellation_leaves_nothing_behind
            );
        }
    };
    (@probes $face:ty, $make:expr, $($probe:ident)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $probe() {
                $crate::probes::$probe::<$face, _>(|| $make).await;
            }
        )*
    };
}
