//! Webhook keys that are kept as a secret.

use std::{
    fmt,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use golive_secrets_provider::{FieldError, Handle, NotText, SecretError, Snapshot, Version};
use golive_webhook_verify::{
    ConfigError, Key, KeyError, UnixTime, Verifier, VerifierBuilder, tower::VerifierSource,
};
use secrecy::ExposeSecret as _;

/// Webhook keys from a secret, current and previous: a `whsec_…` by itself, or a field of a JSON
/// object.
///
/// A rotation takes effect with the next delivery; while the secret has a previous version, what is
/// signed with that is accepted too.
///
/// A new version that is no webhook secret is left out, and [`health`](Self::health) says so: then the
/// previous version is accepted, or if there is none, what was accepted before.
/// When the handle serves nothing any more, deliveries are answered 500, and come again.
#[derive(Clone)]
pub struct WebhookSecret(Arc<Shared>);

/// Why a secret gives no webhook keys. It repeats nothing of the secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookSecretError {
    /// There is no secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// It is not the JSON object that was expected.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// It is no text.
    #[error(transparent)]
    NotText(#[from] NotText),
    /// It is no webhook secret.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The verifier was not built.
    #[error(transparent)]
    Verifier(#[from] ConfigError),
}

struct Shared {
    handle: Handle,
    field: Option<Box<str>>,
    settings: VerifierBuilder,
    ring: ArcSwap<Ring>,
    /// Held while a ring is made, so that it is made once for each generation.
    making: Mutex<()>,
}

struct Ring {
    generation: u64,
    verifier: Arc<Verifier>,
    /// Why it is not that of the generation.
    error: Option<Arc<WebhookSecretError>>,
}

// === impl WebhookSecret ===

impl WebhookSecret {
    /// Takes the whole secret for a `whsec_…`.
    ///
    /// # Errors
    /// The handle has no secret yet (await [`Handle::ready`] first), or it is no webhook secret.
    pub fn new(handle: Handle) -> Result<Self, WebhookSecretError> {
        Self::with_settings(handle, None, Verifier::builder())
    }

    /// Takes a field of a secret that is a JSON object.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn field(handle: Handle, name: &str) -> Result<Self, WebhookSecretError> {
        Self::with_settings(handle, Some(name), Verifier::builder())
    }

    /// Takes a field, or the whole secret, and the settings of the verifier: its tolerance, the
    /// longest body, and keys that are always accepted besides.
    ///
    /// # Errors
    /// As [`new`](Self::new), and what `settings` say that cannot be.
    pub fn with_settings(
        handle: Handle,
        field: Option<&str>,
        settings: VerifierBuilder,
    ) -> Result<Self, WebhookSecretError> {
        let snapshot = handle.load()?.into_owned();
        let field = field.map(Box::from);
        let verifier = verifier(&snapshot, field.as_deref(), settings.clone())?;
        let ring = Ring {
            generation: snapshot.generation(),
            verifier: Arc::new(verifier),
            error: None,
        };
        Ok(Self(Arc::new(Shared {
            handle,
            field,
            settings,
            ring: ArcSwap::from_pointee(ring),
            making: Mutex::default(),
        })))
    }

    /// Whether the newest version of the secret is in use.
    ///
    /// # Errors
    /// Why it is not: deliveries that are signed with it will be rejected.
    pub fn health(&self) -> Result<(), Arc<WebhookSecretError>> {
        match self.0.ring().error.clone() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl VerifierSource for WebhookSecret {
    fn load(&self) -> Arc<Verifier> {
        Arc::clone(&self.0.ring().verifier)
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSecret")
            .field("handle", &self.0.handle)
            .field("field", &self.0.field)
            .finish_non_exhaustive()
    }
}

// === impl Shared ===

impl Shared {
    /// The ring of what the handle serves now.
    fn ring(&self) -> Arc<Ring> {
        // 0 is what is served when nothing is: generations count from 1.
        let generation = |handle: &Handle| handle.load().map_or(0, |loaded| loaded.generation());
        let held = self.ring.load();
        if held.generation == generation(&self.handle) {
            return Arc::clone(&held);
        }
        drop(held);
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let held = self.ring.load_full();
        let ring = match self.handle.load() {
            // Somebody was faster.
            Ok(loaded) if loaded.generation() == held.generation => return held,
            Err(_) if held.generation == 0 => return held,
            Ok(loaded) => self.renewed(&held, &loaded.into_owned()),
            Err(error) => Ring {
                generation: 0,
                verifier: nothing().unwrap_or_else(|| Arc::clone(&held.verifier)),
                error: Some(Arc::new(error.into())),
            },
        };
        let ring = Arc::new(ring);
        self.ring.store(Arc::clone(&ring));
        ring
    }

    fn renewed(&self, held: &Ring, snapshot: &Snapshot) -> Ring {
        let field = self.field.as_deref();
        let made = verifier(snapshot, field, self.settings.clone());
        let (verifier, error) = match made {
            Ok(verifier) => (Arc::new(verifier), None),
            Err(error) => {
                // What was there before goes on, but not what was there before that: it may have
                // been withdrawn because somebody knows it.
                let before = previous(snapshot, field)
                    .and_then(|key| self.settings.clone().key(key).build().ok());
                let verifier = before.map_or_else(|| Arc::clone(&held.verifier), Arc::new);
                (verifier, Some(Arc::new(error)))
            }
        };
        Ring {
            generation: snapshot.generation(),
            verifier,
            error,
        }
    }
}

/// The current key first, since keys are tried in order.
fn verifier(
    snapshot: &Snapshot,
    field: Option<&str>,
    settings: VerifierBuilder,
) -> Result<Verifier, WebhookSecretError> {
    let current = key(snapshot.current(), field)?;
    let keys = std::iter::once(current).chain(previous(snapshot, field));
    Ok(settings.keys(keys).build()?)
}

/// What was before may have had another form; the current one is what counts.
fn previous(snapshot: &Snapshot, field: Option<&str>) -> Option<Key> {
    key(snapshot.previous()?, field).ok()
}

fn key(version: &Version, field: Option<&str>) -> Result<Key, WebhookSecretError> {
    let key = match field {
        Some(name) => Key::from_whsec(version.value().field(name)?.expose_secret())?,
        None => Key::from_whsec(version.value().expose_text()?)?,
    };
    Ok(key.with_id(version.id()))
}

/// Accepts nothing, as our own fault: its only key has ended long ago, and is known to nobody even if
/// the clock has been set back to before that.
fn nothing() -> Option<Arc<Verifier>> {
    let mut bytes = [0; 32];
    for piece in bytes.as_chunks_mut::<8>().0 {
        // The seed is the operating system's.
        *piece = RandomState::new().build_hasher().finish().to_ne_bytes();
    }
    let key = Key::from_bytes(&bytes).ok()?;
    let ended = key.with_not_after(UnixTime::from(0));
    Verifier::builder().key(ended).build().ok().map(Arc::new)
}
