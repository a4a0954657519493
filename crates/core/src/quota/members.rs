//! The members of `RateLimit` and `RateLimit-Policy`.

use http::HeaderValue;

use super::{
    hash::Hash,
    number,
    structured::{self, Bare, Event},
};

/// How many members of one field are looked at. Each is looked up in the other field, so there must
/// be an end to it.
const MOST: usize = 16;

/// A counter, `"default";r=50;t=30`, or a policy, `"default";q=100;w=60`. In older drafts the name
/// of a policy is its limit, `100;w=60`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Member<'a> {
    pub(super) name: Bare<'a>,
    q: Option<u64>,
    pub(super) r: Option<u64>,
    pub(super) t: Option<u64>,
    pub(super) w: Option<u64>,
    unit: Option<Bare<'a>>,
    partition: Option<Bare<'a>>,
}

/// Reads all lines of a list. `false`, and nothing said, if they are none.
pub(super) fn each<'h>(
    lines: impl Iterator<Item = &'h HeaderValue> + Clone,
    say: &mut dyn FnMut(Member<'h>),
) -> bool {
    //= draft-ietf-httpapi-ratelimit-headers-10 §7: Malformed RateLimit header fields MUST be ignored.
    //= RFC 9651 §4.2: If parsing fails, either the entire field value MUST be ignored […]
    let mut all = lines.clone();
    if !all.all(|line| structured::list(line.as_bytes(), &mut |_| ())) {
        return false;
    }
    let mut room = MOST;
    for line in lines {
        let mut current: Option<Member<'h>> = None;
        structured::list(line.as_bytes(), &mut |event| match event {
            Event::Member(name) => {
                if let Some(done) = current.take() {
                    say(done);
                }
                if room > 0 && name != Bare::Other {
                    room -= 1;
                    current = Some(Member {
                        name,
                        ..Member::default()
                    });
                }
            }
            Event::Parameter(key, value) => {
                if let Some(member) = &mut current {
                    member.set(key, value);
                }
            }
            Event::Entry(..) => (),
        });
        if let Some(done) = current {
            say(done);
        }
    }
    true
}

impl<'a> Member<'a> {
    /// A member of an old `RateLimit-Limit`: `100;w=60`, in loose spelling.
    pub(super) fn of_limit(limit: Option<u64>, parameters: &str) -> Self {
        let window = parameters.split(';').find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            let known = matches!(key.trim(), "w" | "window");
            number::count(value.trim()).filter(|_| known)
        });
        Self {
            q: limit,
            w: window,
            ..Self::default()
        }
    }

    /// What a policy allows.
    pub(super) fn limit(&self) -> Option<u64> {
        let old = match self.name {
            Bare::Number(number) => u64::try_from(number).ok(),
            _ => None,
        };
        self.q.or(old)
    }

    /// Whether this policy is the one that this counter counts for.
    pub(super) fn governs(&self, counter: &Self) -> bool {
        let both = self.partition.zip(counter.partition);
        self.name == counter.name && both.is_none_or(|(own, other)| own == other)
    }

    /// Continues the hash that tells its window from others.
    pub(super) fn hash(&self, hash: Hash) -> Hash {
        //= draft-ietf-httpapi-ratelimit-headers-10 §4.1.3: Quotas are allocated per partition key.
        let named = hash.name(self.name);
        self.partition
            .map_or(named, |partition| named.name(partition))
    }

    /// Whether it counts requests.
    pub(super) fn requests(&self) -> bool {
        //= draft-ietf-httpapi-ratelimit-headers-10 §3.1: The OPTIONAL "qu" parameter value conveys the
        //= quota units associated to the "q" parameter. The default quota unit is "requests".
        match self.unit {
            None => true,
            Some(Bare::Text(unit)) => matches!(unit, b"requests" | b"request"),
            Some(_) => false,
        }
    }

    fn set(&mut self, key: &[u8], value: Bare<'a>) {
        let number = match value {
            Bare::Number(number) => u64::try_from(number).ok(),
            _ => None,
        };
        //= RFC 9651 §4.2.3.2: If parameters already contains a key param_key […] overwrite its
        //= value with param_value.
        match key {
            b"q" => self.q = number,
            b"r" => self.r = number,
            b"t" => self.t = number,
            b"w" => self.w = number,
            b"qu" => self.unit = Some(value),
            b"pk" => self.partition = Some(value),
            _ => (),
        }
    }
}

impl Default for Member<'_> {
    fn default() -> Self {
        Self {
            name: Bare::Other,
            q: None,
            r: None,
            t: None,
            w: None,
            unit: None,
            partition: None,
        }
    }
}
