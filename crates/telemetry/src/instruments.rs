//! The instruments, made of their [names](crate::names).

use opentelemetry::metrics::{Counter, Histogram, Meter};

use crate::names::{self, Metric};

/// What the two middleware record into.
#[derive(Clone)]
pub(crate) struct Instruments {
    pub(crate) request_duration: Histogram<f64>,
    pub(crate) call_duration: Histogram<f64>,
    pub(crate) retries: Counter<u64>,
}

impl Instruments {
    pub(crate) fn new(meter: &Meter) -> Self {
        Self {
            request_duration: duration(meter, names::REQUEST_DURATION),
            call_duration: duration(meter, names::CALL_DURATION),
            retries: counter(meter, names::RETRIES),
        }
    }
}

pub(crate) fn counter(meter: &Meter, metric: Metric) -> Counter<u64> {
    meter
        .u64_counter(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .build()
}

fn duration(meter: &Meter, metric: Metric) -> Histogram<f64> {
    meter
        .f64_histogram(metric.name)
        .with_unit(metric.unit)
        .with_description(metric.description)
        .with_boundaries(names::DURATION_BOUNDS.to_vec())
        .build()
}
