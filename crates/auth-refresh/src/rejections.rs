//! How often a 401 may cause a renewal.

use std::time::{Duration, Instant};

use crate::{bucket::Bucket, policy::doubled};

/// A new token that is refused as expired, before it was ever accepted, is not the cure. It is
/// replaced only after this time, which doubles up to the cap.
const COOL_DOWN: Duration = Duration::from_secs(30);
const COOL_DOWN_CAP: Duration = Duration::from_secs(300);

/// What is known of the tokens that were refused as expired.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rejections {
    /// Renewals caused by a refusal since a token was last accepted.
    strikes: u32,
    forced: Bucket,
}

// === impl Rejections ===

impl Rejections {
    /// Whether a token that was refused as expired may be replaced at once, and notes that it is.
    ///
    /// `proven`: it had been accepted before. `received_at`: when it came.
    pub(crate) fn may_renew(&mut self, proven: bool, received_at: Instant, now: Instant) -> bool {
        if !proven && self.strikes > 0 {
            let cool_down = doubled(COOL_DOWN, self.strikes, COOL_DOWN_CAP);
            if now.saturating_duration_since(received_at) < cool_down {
                return false;
            }
        }
        if !self.forced.take(now) {
            return false;
        }
        self.strikes = if proven {
            1
        } else {
            self.strikes.saturating_add(1)
        };
        true
    }

    /// A token that was in use and accepted has come to its natural end.
    pub(crate) fn forgive(&mut self) {
        self.strikes = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn start() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    #[test]
    fn an_unproven_token_is_replaced_once_and_then_ever_more_rarely() {
        let t = start();
        let mut log = Rejections::default();
        assert!(log.may_renew(false, t, t));
        assert!(!log.may_renew(false, t, t + secs(29)));
        assert!(log.may_renew(false, t, t + secs(30)));
        assert!(!log.may_renew(false, t + secs(30), t + secs(89)));
        assert!(log.may_renew(false, t + secs(30), t + secs(90)));
    }

    #[test]
    fn a_proven_token_is_replaced_at_once_but_not_without_end() {
        let t = start();
        let mut log = Rejections::default();
        let granted = (0..100).filter(|_| log.may_renew(true, t, t)).count();
        assert_eq!(granted, 10);
        assert!(!log.may_renew(true, t, t + secs(29)));
        assert!(log.may_renew(true, t, t + secs(30)));
    }

    proptest! {
        #[test]
        fn refusals_never_cause_a_storm(proven in proptest::collection::vec(any::<bool>(), 600)) {
            let t = start();
            let mut log = Rejections::default();
            let mut granted = 0u64;
            for (second, proven) in (0..).zip(proven) {
                granted += u64::from(log.may_renew(proven, t, t + secs(second)));
            }
            prop_assert!(granted <= 10 + 600 / 30, "{granted} in ten minutes");
        }
    }
}
