/// Why a [`Telemetry`](crate::Telemetry), an [`EntityWatch`](crate::EntityWatch) or a
/// [`SecretDates`](crate::SecretDates) was not built. The application must change what it sets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is neither a meter nor a tracer.
    #[error("nothing would be recorded: give a meter, a tracer or both")]
    NothingToRecord,
    /// Not a path with holes.
    #[error(
        "`{template}` is no route: write a path of at most 200 ASCII characters whose variable \
         segments are whole, as in /v3/customers/{{id}}"
    )]
    Route {
        /// What was given, at most 200 characters of it.
        template: String,
    },
    /// More routes than a metric has room for.
    #[error("{count} routes are too many labels: give at most {max}")]
    TooManyRoutes {
        /// How many were given.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// A header that carries credentials.
    #[error("{name} carries credentials, so it is never recorded: take it off the list")]
    SecretHeader {
        /// The header.
        name: http::HeaderName,
    },
    /// A bound that lets nothing in.
    #[error("{what} must be at least one")]
    Zero {
        /// What is bounded.
        what: &'static str,
    },
    /// An entity watch without a state.
    #[error("no state is watched: name at least one, and how long an entity may be in it")]
    NoStates,
    /// A state that was named twice.
    #[error("the state `{state}` was named twice")]
    RepeatedState {
        /// The state.
        state: String,
    },
}

/// Why an event was not taken into an [`EntityWatch`](crate::EntityWatch).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// As many entities are watched as may be. Those that are watched stay watched; whoever runs
    /// this must raise the capacity, or see to those that are stuck.
    #[error("{capacity} entities are watched already: raise the capacity of the watch")]
    Full {
        /// How many may be watched.
        capacity: usize,
    },
    /// An id that is too long to be kept.
    #[error("an id of {length} bytes is longer than the {max} that are kept")]
    LongId {
        /// Its length in bytes.
        length: usize,
        /// The longest one that is kept.
        max: usize,
    },
}
