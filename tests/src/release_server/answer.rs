//! What the server answers: the file or a part of it, or a lie.

use std::io::{self, Write};
use std::time::Duration;

use banger_installer::model::Digest;
use sha2::{Digest as _, Sha256};

use super::Request;

/// Between two bytes of a trickle.
const TRICKLE: Duration = Duration::from_millis(20);

/// Ways to lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mischief {
    /// 302 to this base and the same path.
    RedirectTo(String),
    /// Half of the file under its true length, then the end, whatever part was asked for.
    Truncated,
    /// The file, then zeros for as long as the client reads.
    Endless,
    /// The file less its last byte, under a length that fits the lie.
    ShortByOne,
    /// This many bytes of what was asked for under the true length, then the end.
    BreakAfter(usize),
    /// This many bytes of what was asked for under no length at all, then the end.
    EndAfter(usize),
    /// As many bytes as there are, and each of them is another.
    OtherBytes,
    /// These bytes: what lay there before, say.
    Instead(Vec<u8>),
    /// As [`Mischief::OtherBytes`], but only this many of them, then the end.
    OtherBytesBreakAfter(usize),
    /// A byte now and then.
    Trickle,
    /// A head, and no body.
    SilentBody,
    /// The file under no length, and no end.
    NoEnd,
    /// Not even a head.
    Silent,
    /// Another status, and no body.
    Status(&'static str),
    /// The lie inside, but only for the first so many questions.
    Times(usize, Box<Mischief>),
    /// One after the other, a question each, and then no more.
    InTurn(Vec<Mischief>),
}

/// What is made of a question for a part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranges {
    /// 206, when the file is the one that the client means.
    Honoured,
    /// 200 and all of it.
    Ignored,
    /// 206 with a part that begins a byte too late, and says so.
    Shifted,
    /// 206 with the right part of a file that is a byte longer.
    OtherSize,
    /// 206 with a header that cannot be read.
    Unreadable,
}

/// A file, and what was asked of it.
pub(super) struct Content<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) request: &'a Request,
    pub(super) ranges: Ranges,
}

impl Mischief {
    /// The lie for a question, when `told` were lied to before.
    fn after(&self, told: usize) -> Option<&Self> {
        match self {
            Self::Times(times, mischief) => (told < *times).then_some(mischief),
            Self::InTurn(turns) => turns.get(told),
            mischief => Some(mischief),
        }
    }
}

/// Answers, with a lie when there is one; `told` were lied to before.
pub(super) fn respond(
    stream: &mut impl Write,
    content: &Content<'_>,
    mischief: Option<(&Mischief, usize)>,
    stopped: &dyn Fn() -> bool,
) -> io::Result<()> {
    let length = content.bytes.len();
    match mischief.and_then(|(mischief, told)| mischief.after(told)) {
        None | Some(Mischief::Times(..) | Mischief::InTurn(_)) => {
            send(stream, content, usize::MAX, true)
        }
        Some(Mischief::BreakAfter(count)) => send(stream, content, *count, true),
        Some(Mischief::EndAfter(count)) => send(stream, content, *count, false),
        Some(Mischief::Truncated) => {
            head(stream, "200 OK", &format!("Content-Length: {length}\r\n"))?;
            stream.write_all(&content.bytes[..length / 2])
        }
        Some(Mischief::OtherBytes) => send_others(stream, content, usize::MAX),
        Some(Mischief::Instead(bytes)) => {
            let content = Content { bytes, ..*content };
            send(stream, &content, usize::MAX, true)
        }
        Some(Mischief::OtherBytesBreakAfter(count)) => send_others(stream, content, *count),
        Some(Mischief::RedirectTo(base)) => {
            let location = format!("Location: {base}{}\r\n", content.request.path);
            head(stream, "302 Found", &(location + "Content-Length: 0\r\n"))
        }
        Some(Mischief::Status(status)) => head(stream, status, "Content-Length: 0\r\n"),
        Some(Mischief::ShortByOne) => {
            let length = length.saturating_sub(1);
            head(stream, "200 OK", &format!("Content-Length: {length}\r\n"))?;
            stream.write_all(&content.bytes[..length])
        }
        Some(Mischief::Endless) => {
            head(stream, "200 OK", "")?;
            stream.write_all(content.bytes)?;
            loop {
                stream.write_all(&[0; 16 * 1024])?;
            }
        }
        Some(Mischief::Silent) => {
            wait(stopped);
            Ok(())
        }
        Some(Mischief::SilentBody) => {
            head(stream, "200 OK", &format!("Content-Length: {length}\r\n"))?;
            stream.flush()?;
            wait(stopped);
            Ok(())
        }
        Some(Mischief::NoEnd) => {
            send(stream, content, usize::MAX, false)?;
            stream.flush()?;
            wait(stopped);
            Ok(())
        }
        Some(Mischief::Trickle) => {
            head(stream, "200 OK", &format!("Content-Length: {length}\r\n"))?;
            for byte in content.bytes {
                stream.write_all(&[*byte])?;
                stream.flush()?;
                std::thread::sleep(TRICKLE);
            }
            Ok(())
        }
    }
}

/// The file, or the part that was asked for; no more than `count` bytes of it.
fn send(
    stream: &mut impl Write,
    content: &Content<'_>,
    count: usize,
    with_length: bool,
) -> io::Result<()> {
    let digest = Digest::from_bytes(Sha256::digest(content.bytes).into());
    let tag = format!("\"{}\"", digest.hex());
    let (status, from, range) = part(content, &tag);
    let body = &content.bytes[from..];
    let length = if with_length {
        format!("Content-Length: {}\r\n", body.len())
    } else {
        String::new()
    };
    head(stream, status, &format!("ETag: {tag}\r\n{range}{length}"))?;
    stream.write_all(&body[..count.min(body.len())])
}

/// Status, first byte and headers of the answer.
fn part(content: &Content<'_>, tag: &str) -> (&'static str, usize, String) {
    let whole = ("200 OK", 0, String::new());
    let size = content.bytes.len();
    let same = content
        .request
        .if_range
        .as_deref()
        .is_none_or(|meant| meant == tag);
    let from = content.request.range.as_deref().and_then(|range| {
        let from = range.strip_prefix("bytes=")?.strip_suffix('-')?;
        from.parse::<usize>().ok()
    });
    let Some(from) = from.filter(|_| same) else {
        return whole;
    };
    if from >= size {
        return ("416 Range Not Satisfiable", size, String::new());
    }
    let last = size - 1;
    let (from, range) = match content.ranges {
        Ranges::Ignored => return whole,
        Ranges::Honoured => (from, format!("bytes {from}-{last}/{size}")),
        Ranges::Shifted => (from + 1, format!("bytes {}-{last}/{size}", from + 1)),
        Ranges::OtherSize => (from, format!("bytes {from}-{last}/{}", size + 1)),
        Ranges::Unreadable => (from, "bytes and more bytes".into()),
    };
    (
        "206 Partial Content",
        from,
        format!("Content-Range: {range}\r\n"),
    )
}

fn send_others(stream: &mut impl Write, content: &Content<'_>, count: usize) -> io::Result<()> {
    let bytes: Vec<u8> = content.bytes.iter().map(|byte| byte ^ 1).collect();
    let content = Content {
        bytes: &bytes,
        ..*content
    };
    send(stream, &content, count, true)
}

/// Until the server is dropped.
fn wait(stopped: &dyn Fn() -> bool) {
    while !stopped() {
        std::thread::sleep(TRICKLE);
    }
}

fn head(stream: &mut impl Write, status: &str, headers: &str) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n"
    )
}

pub(super) fn plain<S: Write>(mut stream: S, status: &str) -> io::Result<S> {
    head(&mut stream, status, "Content-Length: 0\r\n")?;
    stream.flush()?;
    Ok(stream)
}
