//! A varlink connection over a unix socket whose frames are bounded.
//!
//! zlink reads frames of up to 100 MiB; the wrapper here gives each message a budget of bytes, so
//! that a caller can make a daemon hold at most [`limits::FRAME`] per connection.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use zlink::connection::socket::{ReadHalf, ReadResult, Socket, UnixSocket};
use zlink::tokio::unix;

use super::limits;

/// A connection of either side.
pub type Connection = zlink::Connection<Bounded>;

/// Connects to the socket at `path`.
///
/// # Errors
/// What connect(2) says.
pub async fn connect(path: &Path) -> zlink::Result<Connection> {
    serve_stream(tokio::net::UnixStream::connect(path).await?)
}

/// Wraps a stream, say one that was accepted.
///
/// # Errors
/// When the kernel does not attach credentials to the socket.
pub fn serve_stream(stream: tokio::net::UnixStream) -> zlink::Result<Connection> {
    Ok(Connection::new(Bounded(unix::Stream::try_from(stream)?)))
}

/// A unix stream that reads at most [`limits::FRAME`] bytes between two refills.
#[derive(Debug)]
pub struct Bounded(unix::Stream);

/// The reading half of [`Bounded`].
#[derive(Debug)]
pub struct BoundedRead {
    inner: <unix::Stream as Socket>::ReadHalf,
    budget: Arc<AtomicUsize>,
}

impl Socket for Bounded {
    type ReadHalf = BoundedRead;
    type WriteHalf = <unix::Stream as Socket>::WriteHalf;

    const CAN_TRANSFER_FDS: bool = true;

    fn split(self) -> (Self::ReadHalf, Self::WriteHalf) {
        let (inner, write) = self.0.split();
        let budget = Arc::new(AtomicUsize::new(limits::FRAME));
        (BoundedRead { inner, budget }, write)
    }
}

impl BoundedRead {
    /// Lets the next message take [`limits::FRAME`] bytes again.
    pub fn refill(&self) {
        self.budget.store(limits::FRAME, Ordering::Relaxed);
    }
}

impl ReadHalf for BoundedRead {
    async fn read(&mut self, buffer: &mut [u8]) -> zlink::Result<ReadResult> {
        let left = self.budget.load(Ordering::Relaxed);
        let length = left.min(buffer.len());
        let Some(space) = buffer.get_mut(..length).filter(|space| !space.is_empty()) else {
            return Err(zlink::Error::BufferOverflow);
        };
        let result = self.inner.read(space).await?;
        self.budget
            .store(left.saturating_sub(result.bytes_read()), Ordering::Relaxed);
        Ok(result)
    }
}

impl AsFd for BoundedRead {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl UnixSocket for BoundedRead {}
