//! Observable instruments: they forget what is no longer reported, where others report for ever.

use std::sync::{Arc, Weak};

use opentelemetry::{
    KeyValue,
    metrics::{AsyncInstrument, Meter},
};

use crate::names::Metric;

/// Reports one value with its attributes.
pub(crate) type Report<'a, T> = &'a mut dyn FnMut(T, &[KeyValue]);

/// Has `read` asked for a gauge, for as long as somebody holds `state`.
///
/// `read` must not panic: the SDK does not recover from it.
pub(crate) fn gauge_f64<S: Send + Sync + 'static>(
    meter: &Meter,
    metric: Metric,
    state: &Arc<S>,
    read: fn(&S, Report<'_, f64>),
) {
    // The instrument itself is empty; the SDK keeps the callback.
    let _ = meter
        .f64_observable_gauge(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(callback(state, read))
        .build();
}

/// As [`gauge_f64`], for numbers of things.
pub(crate) fn gauge_u64<S: Send + Sync + 'static>(
    meter: &Meter,
    metric: Metric,
    state: &Arc<S>,
    read: fn(&S, Report<'_, u64>),
) {
    let _ = meter
        .u64_observable_gauge(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(callback(state, read))
        .build();
}

/// As [`gauge_u64`], for what only goes up.
pub(crate) fn counter<S: Send + Sync + 'static>(
    meter: &Meter,
    metric: Metric,
    state: &Arc<S>,
    read: fn(&S, Report<'_, u64>),
) {
    let _ = meter
        .u64_observable_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(callback(state, read))
        .build();
}

/// As [`gauge_u64`], for what goes up and down and can be added up.
pub(crate) fn up_down_counter<S: Send + Sync + 'static>(
    meter: &Meter,
    metric: Metric,
    state: &Arc<S>,
    read: fn(&S, Report<'_, i64>),
) {
    let _ = meter
        .i64_observable_up_down_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_callback(callback(state, read))
        .build();
}

fn callback<S: Send + Sync + 'static, T: 'static>(
    state: &Arc<S>,
    read: fn(&S, Report<'_, T>),
) -> impl Fn(&dyn AsyncInstrument<T>) + Send + Sync + 'static {
    // Weak: the SDK keeps a callback for as long as it lives itself.
    let state: Weak<S> = Arc::downgrade(state);
    move |instrument| {
        if let Some(state) = state.upgrade() {
            read(&state, &mut |value, attributes| {
                instrument.observe(value, attributes);
            });
        }
    }
}
