//! Which of the headers of a response are in the table.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::family::Family;

/// How many header lines of quotas are read of one response.
const MOST: usize = 32;

/// Slots that tell whether a name may be known: enough that hardly any foreign one shares one.
const SLOTS: usize = 1024;

/// The names of all families.
#[derive(Clone)]
pub(super) struct Index {
    /// One bit a slot.
    taken: [u64; SLOTS / 64],
    /// Sorted by slot.
    names: Vec<Name>,
}

#[derive(Clone)]
struct Name {
    slot: u16,
    name: HeaderName,
    /// Which family it belongs to, and as what.
    family: u16,
    place: u16,
}

/// The header lines of a response that are in the table.
pub(super) struct Lines<'h> {
    lines: [Option<Line<'h>>; MOST],
    len: usize,
}

/// One of them: of which family, and as what.
#[derive(Clone, Copy)]
struct Line<'h> {
    value: &'h HeaderValue,
    family: u16,
    place: u16,
}

/// The lines of one family.
#[derive(Clone, Copy)]
pub(super) struct Own<'l, 'h> {
    lines: &'l [Option<Line<'h>>],
    family: u16,
}

impl Index {
    pub(super) fn of(families: &[Family]) -> Self {
        let mut taken = [0; SLOTS / 64];
        let mut names = Vec::new();
        for (family, headers) in (0..).zip(families) {
            for (place, name) in headers.names() {
                let slot = slot(name);
                if let Some(word) = taken.get_mut(usize::from(slot) / 64) {
                    *word |= 1 << (slot % 64);
                }
                let name = name.clone();
                names.push(Name {
                    slot,
                    name,
                    family,
                    place,
                });
            }
        }
        names.sort_by_key(|name| name.slot);
        Self { taken, names }
    }

    /// Whether any family has a header here.
    pub(super) fn mentions(&self, headers: &HeaderMap) -> bool {
        headers.keys().any(|name| self.knows(name))
    }

    /// Hands the lines of a response to `read`, if there are any. For most there are none, and
    /// then no room is made for them either.
    pub(super) fn read(&self, headers: &HeaderMap, read: impl FnOnce(&Lines<'_>)) {
        let mut rest = headers.iter();
        let Some(first) = rest.find(|(name, _)| self.knows(name)) else {
            return;
        };
        let mut lines = Lines {
            lines: [None; MOST],
            len: 0,
        };
        for (name, value) in std::iter::once(first).chain(rest) {
            let slot = slot(name);
            if self.taken(slot) {
                for found in self.find(slot, name) {
                    lines.add(found, value);
                }
            }
        }
        read(&lines);
    }

    /// Most names end at their slot.
    fn knows(&self, name: &HeaderName) -> bool {
        let slot = slot(name);
        self.taken(slot) && self.find(slot, name).next().is_some()
    }

    fn taken(&self, slot: u16) -> bool {
        let word = self.taken.get(usize::from(slot) / 64);
        word.is_some_and(|word| word >> (slot % 64) & 1 == 1)
    }

    fn find<'a>(&'a self, slot: u16, name: &'a HeaderName) -> impl Iterator<Item = &'a Name> {
        let from = self.names.partition_point(|own| own.slot < slot);
        let candidates = self.names.get(from..).unwrap_or_default().iter();
        let same = candidates.take_while(move |own| own.slot == slot);
        same.filter(move |own| own.name == name)
    }
}

impl<'h> Lines<'h> {
    /// Which families have lines, in the order of the table.
    pub(super) fn families(&self) -> impl Iterator<Item = u16> {
        let next = |from: u16| {
            let families = self.all().iter().flatten().map(|line| line.family);
            families.filter(|family| *family >= from).min()
        };
        std::iter::successors(next(0), move |last| next(last.checked_add(1)?))
    }

    pub(super) fn of(&self, family: u16) -> Own<'_, 'h> {
        Own {
            lines: self.all(),
            family,
        }
    }

    fn all(&self) -> &[Option<Line<'h>>] {
        self.lines.get(..self.len).unwrap_or_default()
    }

    /// Those beyond the bound are left out.
    fn add(&mut self, found: &Name, value: &'h HeaderValue) {
        if let Some(free) = self.lines.get_mut(self.len) {
            *free = Some(Line {
                value,
                family: found.family,
                place: found.place,
            });
            self.len += 1;
        }
    }
}

impl<'l, 'h> Own<'l, 'h> {
    /// The lines of the header at this place.
    pub(super) fn at(
        self,
        place: u16,
    ) -> impl Iterator<Item = &'h HeaderValue> + Clone + use<'l, 'h> {
        let own = self.lines.iter().flatten();
        let own = own.filter(move |line| line.family == self.family && line.place == place);
        own.map(|line| line.value)
    }
}

/// Where the bit of a name is, by its length and three of its letters.
fn slot(name: &HeaderName) -> u16 {
    let name = name.as_str().as_bytes();
    let letter = |place: usize| u16::from(name.get(place).copied().unwrap_or_default());
    let len = name.len();
    // The letters lie within 64 numbers; the shifts spread them over the slots.
    let mixed = letter(len / 2) ^ letter(len.saturating_sub(1)) << 5 ^ letter(0) << 2;
    (mixed ^ (len as u16) << 3) % SLOTS as u16
}
