//! A varlink connection over a unix socket whose messages are bounded.
//!
//! Guarantees: zlink reads messages of up to 100 MiB, and takes whatever descriptors come along; the
//! wrapper here gives each message a budget of bytes and of descriptors. What was read beyond the end of
//! one message lies in zlink's buffer when the next gets its budget, so a caller can make a daemon hold
//! at most twice [`limits::REQUEST`] and twice [`limits::DESCRIPTORS`] per connection. A descriptor is
//! close-on-exec before anything else is done with it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use zlink::connection::socket::{ReadHalf, ReadResult, Socket, UnixSocket};
use zlink::tokio::unix;

use super::limits;

/// A connection of either side.
pub type Connection = zlink::Connection<Bounded>;

/// Connects to the socket at `path`. What is read are replies, of [`limits::REPLY`] bytes at most.
///
/// # Errors
/// What connect(2) says.
pub async fn connect(path: &Path) -> zlink::Result<Connection> {
    call_stream(tokio::net::UnixStream::connect(path).await?)
}

/// Wraps a stream that was connected. What is read are replies, of [`limits::REPLY`] bytes at most.
///
/// # Errors
/// When the kernel does not attach credentials to the socket.
pub fn call_stream(stream: tokio::net::UnixStream) -> zlink::Result<Connection> {
    bounded(stream, limits::REPLY)
}

/// Wraps a stream that was accepted. What is read are requests, of [`limits::REQUEST`] bytes at most.
///
/// # Errors
/// When the kernel does not attach credentials to the socket.
pub fn serve_stream(stream: tokio::net::UnixStream) -> zlink::Result<Connection> {
    bounded(stream, limits::REQUEST)
}

fn bounded(stream: tokio::net::UnixStream, most: usize) -> zlink::Result<Connection> {
    let stream = unix::Stream::try_from(stream)?;
    Ok(Connection::new(Bounded { stream, most }))
}

/// A unix stream that reads a bounded number of bytes and descriptors between two refills.
#[derive(Debug)]
pub struct Bounded {
    stream: unix::Stream,
    most: usize,
}

/// The reading half of [`Bounded`].
#[derive(Debug)]
pub struct BoundedRead {
    inner: <unix::Stream as Socket>::ReadHalf,
    most: usize,
    budget: Arc<Budget>,
}

/// What the present message may still take.
#[derive(Debug)]
struct Budget {
    bytes: AtomicUsize,
    descriptors: AtomicUsize,
}

impl Socket for Bounded {
    type ReadHalf = BoundedRead;
    type WriteHalf = <unix::Stream as Socket>::WriteHalf;

    const CAN_TRANSFER_FDS: bool = true;

    fn split(self) -> (Self::ReadHalf, Self::WriteHalf) {
        let (inner, write) = self.stream.split();
        let budget = Arc::new(Budget {
            bytes: AtomicUsize::new(self.most),
            descriptors: AtomicUsize::new(limits::DESCRIPTORS),
        });
        let read = BoundedRead {
            inner,
            most: self.most,
            budget,
        };
        (read, write)
    }
}

impl BoundedRead {
    /// Gives the next message a whole budget again.
    pub fn refill(&self) {
        self.budget.bytes.store(self.most, Ordering::Relaxed);
        self.budget
            .descriptors
            .store(limits::DESCRIPTORS, Ordering::Relaxed);
    }
}

impl ReadHalf for BoundedRead {
    async fn read(&mut self, buffer: &mut [u8]) -> zlink::Result<ReadResult> {
        let left = self.budget.bytes.load(Ordering::Relaxed);
        let length = left.min(buffer.len());
        let Some(space) = buffer.get_mut(..length).filter(|space| !space.is_empty()) else {
            return Err(zlink::Error::BufferOverflow);
        };
        let result = self.inner.read(space).await?;
        keep_to_ourselves(result.fds())?;
        // those above the budget are closed with the result
        let descriptors = self.budget.descriptors.load(Ordering::Relaxed);
        let Some(descriptors) = descriptors.checked_sub(result.fds().len()) else {
            return Err(zlink::Error::BufferOverflow);
        };
        self.budget
            .descriptors
            .store(descriptors, Ordering::Relaxed);
        self.budget
            .bytes
            .store(left.saturating_sub(result.bytes_read()), Ordering::Relaxed);
        Ok(result)
    }
}

/// zlink receives descriptors without `MSG_CMSG_CLOEXEC`; none may reach a program that is started.
fn keep_to_ourselves(descriptors: &[OwnedFd]) -> std::io::Result<()> {
    for descriptor in descriptors {
        rustix::io::fcntl_setfd(descriptor.as_fd(), rustix::io::FdFlags::CLOEXEC)?;
    }
    Ok(())
}

impl AsFd for BoundedRead {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl UnixSocket for BoundedRead {}
