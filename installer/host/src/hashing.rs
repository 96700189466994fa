//! SHA-256 of bytes on their way through.

use std::io::{self, Write};

use sha2::{Digest as _, Sha256};

use crate::Digest;

/// Passes bytes on to a writer and hashes exactly those that the writer took.
#[derive(Debug, Clone)]
pub struct HashingWriter<W> {
    inner: W,
    hasher: Sha256,
    size: u64,
}

/// What passed through a [`HashingWriter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Bytes.
    pub size: u64,
    /// Their SHA-256.
    pub digest: Digest,
}

impl<W: Write> HashingWriter<W> {
    /// Nothing has passed yet.
    pub fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: Sha256::new(),
            size: 0,
        }
    }

    /// Bytes that have passed.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Gives the writer back, with what passed through it.
    pub fn finish(self) -> (W, Measured) {
        let measured = Measured {
            size: self.size,
            digest: Digest::from_bytes(self.hasher.finalize().into()),
        };
        (self.inner, measured)
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.inner.write(bytes)?;
        let bytes = bytes.get(..taken).unwrap_or(bytes);
        self.hasher.update(bytes);
        self.size += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes at most three bytes at a time, as a pipe may.
    struct Reluctant(Vec<u8>);

    impl Write for Reluctant {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(3);
            self.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_bytes_that_were_taken_count() {
        let mut writer = HashingWriter::new(Reluctant(Vec::new()));
        writer.write_all(b"abc").unwrap();
        writer.write_all(b"defgh").unwrap();
        let (inner, measured) = writer.finish();
        assert_eq!(inner.0, b"abcdefgh");
        assert_eq!(measured.size, 8);
        // sha256sum of "abcdefgh"
        assert_eq!(
            measured.digest.hex(),
            "9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab"
        );
    }
}
