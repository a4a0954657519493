use std::{fmt, time::SystemTime};

use aws_sdk_secretsmanager::{
    Client,
    error::{ProvideErrorMetadata as _, SdkError},
    operation::get_secret_value::{GetSecretValueError, GetSecretValueOutput},
};
use zeroize::Zeroizing;

use super::{Fetching, Source, SourceError, SourceErrorKind};
use crate::{Value, Version, Versions};

/// How often the pair is read again because a rotation happened between its two halves.
const TRIES: u32 = 3;

/// AWS Secrets Manager, by a client that the application brings, with its credentials, region, retries
/// and TLS.
///
/// The name of a secret is its name or its ARN. Current and previous are the versions with the
/// stages `AWSCURRENT` and `AWSPREVIOUS`; each costs one `GetSecretValue` for each fetch. The program
/// needs `secretsmanager:GetSecretValue`, and `kms:Decrypt` for a key of its own.
///
/// A rotation between the two requests is noticed and read again: the version that was current is
/// the previous one by then. Two rotations between two requests are not.
#[derive(Clone)]
pub struct AwsSource {
    client: Client,
    previous: bool,
    pending: bool,
}

type Failure = SdkError<GetSecretValueError>;

// === impl AwsSource ===

impl AwsSource {
    /// Takes the client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            client,
            previous: true,
            pending: false,
        }
    }

    /// Reads `AWSCURRENT` alone: one request for each fetch, for a secret that needs no overlap.
    #[must_use]
    pub fn current_only(mut self) -> Self {
        self.previous = false;
        self
    }

    /// Reads `AWSPENDING` too, for a program that takes part in the rotation.
    #[must_use]
    pub fn with_pending(mut self) -> Self {
        self.pending = true;
        self
    }

    async fn read(&self, name: &str) -> Result<Versions, SourceError> {
        for _ in 0..TRIES {
            let current = self.stage(name, "AWSCURRENT").await.map_err(explained)?;
            let current = version(current)?;
            // NOTE: after the current one. The other way round, a rotation in between would go
            // unnoticed and lose the version in the middle.
            let previous = match self.previous {
                true => self.optional(name, "AWSPREVIOUS").await?,
                false => None,
            };
            if previous.as_ref().is_some_and(|p| p.id() == current.id()) {
                continue;
            }
            let pending = match self.pending {
                true => self.optional(name, "AWSPENDING").await?,
                false => None,
            };
            // A rotation that has ended may leave the stage on the version that it promoted.
            let pending = pending.filter(|pending| pending.id() != current.id());
            return Ok(Versions::new(current)
                .with_previous(previous)
                .with_pending(pending));
        }
        let kind = SourceErrorKind::Unavailable;
        Err(SourceError::new(
            kind,
            "the secret was rotated during each read",
        ))
    }

    /// A stage that need not exist, and whose version need not have a value yet.
    async fn optional(&self, name: &str, stage: &str) -> Result<Option<Version>, SourceError> {
        match self.stage(name, stage).await {
            Ok(output) => version(output).map(Some),
            Err(failure) if is_not_found(&failure) => Ok(None),
            Err(failure) => Err(explained(failure)),
        }
    }

    async fn stage(&self, name: &str, stage: &str) -> Result<GetSecretValueOutput, Failure> {
        let request = self.client.get_secret_value();
        request.secret_id(name).version_stage(stage).send().await
    }
}

impl Source for AwsSource {
    fn fetch<'a>(&'a self, name: &'a str) -> Fetching<'a> {
        Box::pin(self.read(name))
    }
}

impl fmt::Debug for AwsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the client: its configuration is the application's.
        f.debug_struct("AwsSource")
            .field("previous", &self.previous)
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}

fn version(output: GetSecretValueOutput) -> Result<Version, SourceError> {
    // Both are taken, so that both are wiped.
    let text = output.secret_string.map(Zeroizing::new);
    let binary = output
        .secret_binary
        .map(|blob| Zeroizing::new(blob.into_inner()));
    let value = match (&text, &binary) {
        (Some(text), _) => Value::new(text.as_bytes())?,
        (None, Some(binary)) => Value::new(&***binary)?,
        // What `RotateSecret` leaves that had nobody to ask for a value.
        (None, None) => Value::new([])?,
    };
    let id = output.version_id.unwrap_or_default();
    if id.is_empty() {
        let kind = SourceErrorKind::Unavailable;
        return Err(SourceError::new(kind, "AWS sent a version without an id"));
    }
    let version = Version::new(id, value);
    let created_at = output.created_date.map(SystemTime::try_from);
    Ok(match created_at {
        Some(Ok(at)) => version.with_created_at(at),
        _ => version,
    })
}

fn is_not_found(failure: &Failure) -> bool {
    let error = failure.as_service_error();
    error.is_some_and(GetSecretValueError::is_resource_not_found_exception)
}

/// Says what happened in words of ours. The SDK's error is dropped where it holds the response, which
/// may hold the secret.
fn explained(failure: Failure) -> SourceError {
    use SourceErrorKind::{Denied, Invalid, NotFound, Timeout, Unavailable};
    let (kind, detail) = match &failure {
        SdkError::TimeoutError(_) => (Timeout, "AWS did not answer in time"),
        SdkError::DispatchFailure(failed) if failed.is_timeout() => {
            (Timeout, "AWS did not answer in time")
        }
        SdkError::DispatchFailure(_) => (Unavailable, "AWS cannot be reached"),
        SdkError::ResponseError(_) => (Unavailable, "the answer of AWS cannot be read"),
        SdkError::ConstructionFailure(_) => (
            Denied,
            "the request cannot be made; the client lacks credentials or a region",
        ),
        SdkError::ServiceError(failed) => match failed.err().code().unwrap_or_default() {
            "ResourceNotFoundException" => (NotFound, "AWS has no secret of this name"),
            "AccessDeniedException" => (Denied, "AWS answers AccessDeniedException"),
            "DecryptionFailure" => (
                Denied,
                "AWS answers DecryptionFailure: the KMS key is missing",
            ),
            "UnrecognizedClientException" | "InvalidSignatureException" => {
                (Denied, "AWS does not know the credentials of the client")
            }
            "ExpiredTokenException" => (Denied, "the credentials of the client have expired"),
            "InvalidRequestException" => (
                Invalid,
                "AWS answers InvalidRequestException: the secret is about to be deleted, or another service's",
            ),
            "InvalidParameterException" | "ValidationException" => {
                (NotFound, "AWS does not take this name")
            }
            "ThrottlingException" => (Unavailable, "AWS throttles the client"),
            _ => (Unavailable, "AWS answers with an error of its own"),
        },
        _ => (Unavailable, "the request to AWS failed"),
    };
    let error = SourceError::new(kind, detail);
    match failure {
        // Neither holds a response.
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => match failure.into_source() {
            Ok(cause) => error.with_cause(cause),
            Err(_) => error,
        },
        _ => error,
    }
}
