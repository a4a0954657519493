//! Structured Fields (RFC 9651), as far as `RateLimit` and `RateLimit-Policy` need them: lists and
//! dictionaries are read whole and strictly, and of what they hold the numbers and names are kept.
//!
//! A reader of our own, because it runs on every response and allocates nothing. The tests and the
//! fuzzer hold it against the crate `sfv`, which copies each `pk=:…:` into memory of its own.

/// A value without parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bare<'a> {
    /// An integer.
    Number(i64),
    /// The text of a string as it stands between the quotes, or of a token. A string has one
    /// spelling alone (what may be escaped must be), so equal texts are equal names.
    Text(&'a [u8]),
    /// Bytes, as they stand between the colons.
    Bytes(&'a [u8]),
    /// A decimal, a boolean, a date, a display string, or a list in a list: nothing that a limit
    /// is written as.
    Other,
}

/// What is read of a list or a dictionary.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Event<'a> {
    /// A member of a list, whose parameters follow.
    Member(Bare<'a>),
    /// A member of a dictionary, whose parameters follow.
    Entry(&'a [u8], Bare<'a>),
    /// A parameter of the member before it.
    Parameter(&'a [u8], Bare<'a>),
}

/// Reads a list; `false` if it is none, and then what was said of it is to be forgotten.
pub(super) fn list<'a>(text: &'a [u8], say: &mut dyn FnMut(Event<'a>)) -> bool {
    members(text, |reader| {
        let bare = reader.item_or_inner_list()?;
        say(Event::Member(bare));
        reader.parameters(say)
    })
}

/// Reads a dictionary; `false` if it is none, and then what was said of it is to be forgotten.
pub(super) fn dictionary<'a>(text: &'a [u8], say: &mut dyn FnMut(Event<'a>)) -> bool {
    members(text, |reader| {
        let key = reader.key()?;
        let bare = match reader.next_if(|byte| byte == b'=') {
            Some(_) => reader.item_or_inner_list()?,
            None => Bare::Other,
        };
        say(Event::Entry(key, bare));
        reader.parameters(say)
    })
}

/// Members with commas between them, each read by `member`.
fn members<'a>(text: &'a [u8], mut member: impl FnMut(&mut Reader<'a>) -> Option<()>) -> bool {
    let mut reader = Reader(text);
    reader.skip(b" ");
    let read = loop {
        if reader.0.is_empty() {
            break Some(());
        }
        if member(&mut reader).is_none() {
            break None;
        }
        reader.skip(b" \t");
        if reader.0.is_empty() {
            break Some(());
        }
        if reader.next_if(|byte| byte == b',').is_none() {
            break None;
        }
        reader.skip(b" \t");
        //= RFC 9651 §4.2.1: If input_string is empty, there is a trailing comma; fail parsing.
        if reader.0.is_empty() {
            break None;
        }
    };
    read.is_some()
}

/// What is left to read. `None` from any of its functions fails the whole field.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn item_or_inner_list(&mut self) -> Option<Bare<'a>> {
        if self.next_if(|byte| byte == b'(').is_none() {
            return self.bare();
        }
        //= RFC 9651 §4.2.1.2: Parsing an Inner List
        loop {
            self.skip(b" ");
            if self.next_if(|byte| byte == b')').is_some() {
                return Some(Bare::Other);
            }
            self.bare()?;
            self.parameters(&mut |_| ())?;
            if !matches!(self.0.first()?, b' ' | b')') {
                return None;
            }
        }
    }

    //= RFC 9651 §4.2.3.2: Parsing Parameters
    fn parameters(&mut self, say: &mut dyn FnMut(Event<'a>)) -> Option<()> {
        while self.next_if(|byte| byte == b';').is_some() {
            self.skip(b" ");
            let key = self.key()?;
            let value = match self.next_if(|byte| byte == b'=') {
                Some(_) => self.bare()?,
                None => Bare::Other,
            };
            say(Event::Parameter(key, value));
        }
        Some(())
    }

    //= RFC 9651 §4.2.3.3: Parsing a Key
    fn key(&mut self) -> Option<&'a [u8]> {
        let starts = |byte: u8| byte.is_ascii_lowercase() || byte == b'*';
        if !starts(*self.0.first()?) {
            return None;
        }
        Some(self.take(|byte| {
            starts(byte) || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'.')
        }))
    }

    //= RFC 9651 §4.2.3.1: Parsing a Bare Item
    fn bare(&mut self) -> Option<Bare<'a>> {
        match *self.0.first()? {
            b'-' | b'0'..=b'9' => {
                let (number, fraction) = self.number()?;
                Some(if fraction {
                    Bare::Other
                } else {
                    Bare::Number(number)
                })
            }
            b'"' => self.string().map(Bare::Text),
            b'*' | b'A'..=b'Z' | b'a'..=b'z' => Some(Bare::Text(self.token())),
            b':' => self.bytes(),
            b'?' => self.boolean(),
            b'@' => self.date(),
            b'%' => self.display_string(),
            _ => None,
        }
    }

    /// The whole part, and whether there is a fraction.
    fn number(&mut self) -> Option<(i64, bool)> {
        //= RFC 9651 §4.2.4: Parsing an Integer or Decimal
        let sign = if self.next_if(|byte| byte == b'-').is_some() {
            -1
        } else {
            1
        };
        let whole = self.take(|byte| byte.is_ascii_digit());
        let fraction = self.next_if(|byte| byte == b'.').is_some();
        if fraction {
            let digits = self.take(|byte| byte.is_ascii_digit());
            if !(1..=12).contains(&whole.len()) || !(1..=3).contains(&digits.len()) {
                return None;
            }
        } else if !(1..=15).contains(&whole.len()) {
            return None;
        }
        let number = whole.iter().fold(0, |sum, digit| {
            sum * 10 + i64::from(digit.wrapping_sub(b'0'))
        });
        Some((sign * number, fraction))
    }

    //= RFC 9651 §4.2.5: Parsing a String
    fn string(&mut self) -> Option<&'a [u8]> {
        self.next_if(|byte| byte == b'"')?;
        let text = self.0;
        loop {
            match self.next()? {
                b'"' => return text.get(..text.len() - self.0.len() - 1),
                b'\\' => {
                    self.next_if(|byte| matches!(byte, b'"' | b'\\'))?;
                }
                0x20..=0x7e => (),
                _ => return None,
            }
        }
    }

    //= RFC 9651 §4.2.6: Parsing a Token
    fn token(&mut self) -> &'a [u8] {
        self.take(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(
                    byte,
                    b'!' | b'#'
                        | b'$'
                        | b'%'
                        | b'&'
                        | b'\''
                        | b'*'
                        | b'+'
                        | b'-'
                        | b'.'
                        | b'^'
                        | b'_'
                        | b'`'
                        | b'|'
                        | b'~'
                        | b':'
                        | b'/'
                )
        })
    }

    /// Only whether they end and hold nothing but the letters of base64.
    fn bytes(&mut self) -> Option<Bare<'a>> {
        //= RFC 9651 §4.2.7: Parsing a Byte Sequence
        self.next_if(|byte| byte == b':')?;
        let base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        let bytes = self.take(base64);
        self.next_if(|byte| byte == b':')?;
        Some(Bare::Bytes(bytes))
    }

    //= RFC 9651 §4.2.8: Parsing a Boolean
    fn boolean(&mut self) -> Option<Bare<'a>> {
        self.next_if(|byte| byte == b'?')?;
        self.next_if(|byte| matches!(byte, b'0' | b'1'))?;
        Some(Bare::Other)
    }

    //= RFC 9651 §4.2.9: Parsing a Date
    fn date(&mut self) -> Option<Bare<'a>> {
        self.next_if(|byte| byte == b'@')?;
        let (_, fraction) = self.number()?;
        (!fraction).then_some(Bare::Other)
    }

    /// Only whether it ends, and is ASCII with escapes of two digits.
    fn display_string(&mut self) -> Option<Bare<'a>> {
        //= RFC 9651 §4.2.10: Parsing a Display String
        self.next_if(|byte| byte == b'%')?;
        self.next_if(|byte| byte == b'"')?;
        loop {
            match self.next()? {
                b'"' => return Some(Bare::Other),
                b'%' => {
                    for _ in 0..2 {
                        self.next_if(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))?;
                    }
                }
                0x20..=0x7e => (),
                _ => return None,
            }
        }
    }

    fn next(&mut self) -> Option<u8> {
        self.next_if(|_| true)
    }

    fn next_if(&mut self, is: impl FnOnce(u8) -> bool) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        is(*first).then(|| {
            self.0 = rest;
            *first
        })
    }

    fn take(&mut self, is: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|byte| !is(*byte));
        let (taken, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        taken
    }

    fn skip(&mut self, bytes: &[u8]) {
        self.take(|byte| bytes.contains(&byte));
    }
}
