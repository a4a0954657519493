//! The windows that a response tells of.

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    asked,
    family::{COUNTERS, Family, POLICIES, WINDOW},
    hash::Hash,
    index::Own,
    members::{self, Member},
    number::{self, Unit},
    quotas::Quota,
    response::{Response, seconds},
    structured::{self, Bare, Event},
};

/// A window, with what only a wait needs to know.
pub(super) struct Window<'a> {
    pub(super) quota: Quota,
    /// It counts requests.
    pub(super) requests: bool,
    /// Which header named the reset, or else what is left.
    pub(super) source: &'a HeaderName,
}

// === impl Family ===

impl Family {
    /// Hands every window that these headers tell of to `say`.
    pub(super) fn read<'a>(
        &'a self,
        own: Own<'_, '_>,
        headers: &HeaderMap,
        now: SystemTime,
        say: &mut dyn FnMut(Window<'a>),
    ) {
        let response = Response { own, headers, now };
        if let Some(name) = &self.counters
            && (self.read_list(name, response, say) || self.read_dictionary(name, response, say))
        {
            return;
        }
        if !self.read_plain(response, say) {
            self.read_policies(response, say);
        }
    }

    /// `"default";r=50;t=30`
    fn read_list<'a>(
        &'a self,
        source: &'a HeaderName,
        response: Response<'_, '_>,
        say: &mut dyn FnMut(Window<'a>),
    ) -> bool {
        let mut any = false;
        let valid = members::each(response.own.at(COUNTERS), &mut |counter| {
            if counter.r.is_none() && counter.t.is_none() {
                return;
            }
            any = true;
            let mut policy = Member::default();
            self.each_policy(response, &mut |one| {
                if one.governs(&counter) {
                    policy = one;
                }
            });
            say(Window {
                quota: Quota {
                    policy: counter.hash(self.hash(&response)).0,
                    limit: policy.limit(),
                    remaining: counter.r,
                    reset: counter.t.map(|t| response.reset(t, 0, Unit::Seconds)),
                    window: policy.w.map(seconds),
                },
                requests: !self.not_requests && counter.requests() && policy.requests(),
                source,
            });
        });
        valid && any
    }

    /// `limit=100, remaining=50, reset=5`, as draft 07 has it.
    fn read_dictionary<'a>(
        &'a self,
        source: &'a HeaderName,
        response: Response<'_, '_>,
        say: &mut dyn FnMut(Window<'a>),
    ) -> bool {
        let (mut limit, mut remaining, mut reset) = (None, None, None);
        for line in response.own.at(COUNTERS) {
            let valid = structured::dictionary(line.as_bytes(), &mut |event| {
                if let Event::Entry(key, Bare::Number(number)) = event {
                    let number = u64::try_from(number).ok();
                    match key {
                        b"limit" => limit = number,
                        b"remaining" => remaining = number,
                        b"reset" => reset = number,
                        _ => (),
                    }
                }
            });
            if !valid {
                return false;
            }
        }
        if remaining.is_none() && reset.is_none() {
            return false;
        }
        let mut lasts = Lasts::default();
        self.each_policy(response, &mut |policy| lasts.consider(policy, limit));
        say(Window {
            quota: Quota {
                policy: lasts.hash(self.hash(&response)).0,
                limit,
                remaining,
                reset: reset.map(|t| response.reset(t, 0, Unit::Seconds)),
                window: lasts.window.map(seconds),
            },
            requests: !self.not_requests && !lasts.not_requests,
            source,
        });
        true
    }

    /// One header for each number.
    fn read_plain<'a>(
        &'a self,
        response: Response<'_, '_>,
        say: &mut dyn FnMut(Window<'a>),
    ) -> bool {
        let own = response.own;
        let mut lasts = Lasts::default();
        let limit = self.limits().find_map(|(place, name)| {
            let limit = parts(own.at(place)).find_map(|(count, _)| number::count(count))?;
            //= draft-ietf-httpapi-ratelimit-headers-00 §3.1: RateLimit-Limit: 100, 100;w=10
            for (count, parameters) in parts(own.at(place)) {
                let policy = Member::of_limit(number::count(count), parameters);
                lasts.consider(policy, Some(limit));
            }
            Some((limit, name))
        });
        // Whoever on the way has the least left refuses first.
        let remaining = self.all_remaining().find_map(|(place, name)| {
            let counts = parts(own.at(place)).filter_map(|(count, _)| number::count(count));
            Some((counts.min()?, name))
        });
        let reset = self.resets().find_map(|(place, name)| {
            let reset = asked::longest(own.at(place), |text| response.read_reset(text, self.unit))?;
            Some((reset, name))
        });
        // Which header is to be named for it.
        let named = reset.map(|(_, name)| name);
        let named = named.or(remaining.map(|(_, name)| name));
        let Some(source) = named.or(limit.map(|(_, name)| name)) else {
            return false;
        };
        let limit = limit.map(|(limit, _)| limit);
        self.each_policy(response, &mut |policy| lasts.consider(policy, limit));
        let said = lasts.window.map(seconds).or_else(|| {
            let (_, unit) = self.window.as_ref()?;
            asked::longest(own.at(WINDOW), |text| {
                let number = number::decimal(text).map(|number| number.of(*unit));
                number.or_else(|| number::span(text))
            })
        });
        say(Window {
            quota: Quota {
                policy: lasts.hash(self.hash(&response)).0,
                limit,
                remaining: remaining.map(|(left, _)| left),
                reset: reset.map(|(reset, _)| reset),
                window: said.or(self.lasts),
            },
            requests: !self.not_requests && !lasts.not_requests,
            source,
        });
        true
    }

    /// Policies without counters.
    fn read_policies<'a>(&'a self, response: Response<'_, '_>, say: &mut dyn FnMut(Window<'a>)) {
        let Some(source) = &self.policies else {
            return;
        };
        self.each_policy(response, &mut |policy| {
            say(Window {
                quota: Quota {
                    policy: policy.hash(self.hash(&response)).0,
                    limit: policy.limit(),
                    window: policy.w.map(seconds),
                    ..Quota::default()
                },
                requests: !self.not_requests && policy.requests(),
                source,
            });
        });
    }

    fn each_policy<'h>(&self, response: Response<'_, 'h>, say: &mut dyn FnMut(Member<'h>)) {
        members::each(response.own.at(POLICIES), say);
    }

    /// Begins the hash that tells its windows from those of others.
    fn hash(&self, response: &Response<'_, '_>) -> Hash {
        let mut hash = Hash::new().bytes(self.id());
        for (place, _) in self.names_of_it() {
            if let Some(value) = response.own.at(place).next() {
                hash = hash.bytes(value.as_bytes());
            }
        }
        hash
    }
}

/// What the server says of the window whose limit is known.
#[derive(Default)]
struct Lasts {
    /// In seconds.
    window: Option<u64>,
    not_requests: bool,
    /// How many windows it tells of.
    told: u32,
}

impl Lasts {
    /// One header may tell now of this window and now of that, if there are several.
    fn hash(&self, hash: Hash) -> Hash {
        match self.window {
            Some(window) if self.told > 1 => hash.number(window),
            _ => hash,
        }
    }

    fn consider(&mut self, policy: Member<'_>, limit: Option<u64>) {
        if policy.w.is_some() {
            self.told = self.told.saturating_add(1);
        }
        if limit.is_some() && policy.limit() == limit && self.window.is_none() {
            self.window = policy.w;
            self.not_requests |= !policy.requests();
        }
    }
}

/// The members of a comma-separated header, on however many lines, each before and after its first
/// semicolon.
fn parts<'h>(
    lines: impl Iterator<Item = &'h HeaderValue>,
) -> impl Iterator<Item = (&'h str, &'h str)> {
    //= RFC 9110 §5.3: […] into one field line, without changing the semantics of the message, by
    //= appending each subsequent field line value to the initial field line value in order,
    //= separated by a comma
    let texts = lines.filter_map(|line| line.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(|member| {
        let (value, parameters) = member.split_once(';').unwrap_or((member, ""));
        (value.trim(), parameters)
    })
}
