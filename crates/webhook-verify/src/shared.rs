//! Where the verifier of a delivery comes from.

use core::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::Verifier;

/// The verifier of the moment: a key ring that changes while deliveries are served.
///
/// It is asked twice for each delivery: when its headers have come, and when its body is whole. The
/// second answer alone decides, so that a body that trickles in is not accepted under a key that
/// was dropped meanwhile.
pub trait VerifierSource: Send + Sync + 'static {
    /// The verifier to use now. It does no I/O and does not block. The same `Arc` for as long as
    /// nothing has changed, or every body is hashed twice.
    fn load(&self) -> Arc<Verifier>;
}

/// A verifier that can be replaced while deliveries are served; its copies share it.
///
/// Readers are wait-free, and see one verifier or the other, never a mix.
///
/// ```
/// use golive_webhook_verify::{Key, SharedVerifier, Verifier, VerifierSource as _};
///
/// let old = Key::from_whsec("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
/// let shared = SharedVerifier::new(Verifier::builder().key(old.clone()).build()?);
/// let served = shared.clone(); // by a `tower::VerifyLayer::following`, or by you:
/// let verifier = served.load();
///
/// // Later, wherever the rotation is noticed:
/// let new = Key::from_whsec("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")?;
/// shared.store(Verifier::builder().keys([new, old]).build()?);
/// # let _ = verifier;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SharedVerifier(Arc<ArcSwap<Verifier>>);

// === impl VerifierSource ===

impl VerifierSource for Arc<Verifier> {
    fn load(&self) -> Arc<Verifier> {
        Self::clone(self)
    }
}

impl<T: VerifierSource + ?Sized> VerifierSource for Arc<T> {
    fn load(&self) -> Arc<Verifier> {
        (**self).load()
    }
}

// === impl SharedVerifier ===

impl SharedVerifier {
    /// Starts with this verifier.
    pub fn new(verifier: impl Into<Arc<Verifier>>) -> Self {
        Self(Arc::new(ArcSwap::new(verifier.into())))
    }

    /// The verifier of the moment. Wait-free.
    pub fn load(&self) -> Arc<Verifier> {
        self.0.load_full()
    }

    /// Replaces it, for every copy. Deliveries whose body is not yet whole are judged by the new
    /// one.
    pub fn store(&self, verifier: impl Into<Arc<Verifier>>) {
        self.0.store(verifier.into());
    }
}

impl VerifierSource for SharedVerifier {
    fn load(&self) -> Arc<Verifier> {
        Self::load(self)
    }
}

impl fmt::Debug for SharedVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedVerifier").field(&self.load()).finish()
    }
}
