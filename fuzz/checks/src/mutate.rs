//! Random damage without libFuzzer: less clever, but it runs wherever tests run.
//!
//! Guarantees: the same seed gives the same inputs.

/// Words that parsers trip over.
const WORDS: [&[u8]; 18] = [
    b"0",
    b"-1",
    b"1e309",
    b"18446744073709551616",
    b"null",
    b"{}",
    b"[",
    b"\"",
    b"\\u0000",
    b"\0",
    b"\r\n",
    b"\\\n",
    b"\r",
    b"\xff\xfe",
    b"../",
    b"ustar",
    b"7777777",
    b"\x80\0\0\0\xff\xff\xff\xff",
];

/// A generator of random numbers: xorshift64* (Vigna 2016).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From a seed, whichever.
    pub const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`; 0 when there is none.
    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % bound).unwrap_or_default()
    }

    fn one<'a>(&mut self, of: &[&'a [u8]]) -> &'a [u8] {
        let index = self.below(of.len());
        of.get(index).copied().unwrap_or_default()
    }

    /// One of the inputs, damaged in one to four places.
    pub fn damaged(&mut self, inputs: &[&[u8]]) -> Vec<u8> {
        let mut bytes = self.one(inputs).to_vec();
        for _ in 0..=self.below(4) {
            self.damage(&mut bytes, inputs);
        }
        bytes
    }

    fn damage(&mut self, bytes: &mut Vec<u8>, inputs: &[&[u8]]) {
        let start = self.below(bytes.len() + 1);
        let end = (start + self.below(32)).min(bytes.len());
        match self.below(7) {
            0 => bytes.truncate(start),
            1 => drop(bytes.drain(start..end)),
            2 => bytes.extend_from_within(start..end),
            3 => insert(bytes, start, self.one(&WORDS)),
            4 => overwrite(bytes, start, self.one(&WORDS)),
            5 => {
                let other = self.one(inputs);
                let tail = self.below(other.len() + 1);
                bytes.truncate(start);
                bytes.extend_from_slice(&other[tail..]);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(start) {
                    *byte ^= 1 << self.below(8);
                }
            }
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, word: &[u8]) {
    bytes.splice(at..at, word.iter().copied());
}

fn overwrite(bytes: &mut [u8], at: usize, word: &[u8]) {
    for (byte, new) in bytes.iter_mut().skip(at).zip(word) {
        *byte = *new;
    }
}
