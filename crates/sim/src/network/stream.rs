//! One end of a stream.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Net;
use super::pipe::{Found, Pipe, lock, wake_reader};
use crate::record::Ended;

/// One end: it writes into one pipe and reads from the other.
pub(super) struct End {
    net: Net,
    out: Arc<Mutex<Pipe>>,
    back: Arc<Mutex<Pipe>>,
    said_end: bool,
}

impl End {
    pub(super) fn new(net: Net, out: Arc<Mutex<Pipe>>, back: Arc<Mutex<Pipe>>) -> Self {
        Self {
            net,
            out,
            back,
            said_end: false,
        }
    }

    fn send(&self, bytes: Option<&[u8]>) {
        let world = &self.net.0.world;
        let (from, to) = lock(&self.out).ends;
        let delay = self.net.delay(from, to);
        let now = world.now();
        let arrives = lock(&self.out).write(bytes, now, delay);
        if let Some(at) = arrives {
            wake_reader(world, &self.out, at.saturating_sub(now));
        }
    }

    /// Whether the other end's process is gone without a word, and its machine is back to say so.
    fn is_answered_by_a_stranger(&self) -> bool {
        let (pipe_to, address) = {
            let pipe = lock(&self.out);
            (pipe.runs.1, pipe.ends.1)
        };
        let world = &self.net.0.world;
        !world.is_alive(pipe_to) && !world.is_dark(address)
    }

    fn hangs_up(&self) -> bool {
        let leaves = !self.said_end && lock(&self.back).may_still_speak();
        leaves && self.net.state().chance.hits(300)
    }

    fn reset(&self) {
        for pipe in [&self.out, &self.back] {
            let wakers = lock(pipe).reset();
            wakers
                .into_iter()
                .flatten()
                .for_each(std::task::Waker::wake);
        }
    }
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let now = self.net.0.world.now();
        let (found, writer) = {
            let mut pipe = lock(&self.back);
            let most = buffer.remaining();
            let found = pipe.read(now, most, |bytes| buffer.put_slice(bytes));
            if found == Found::Nothing {
                pipe.reader = Some(context.waker().clone());
            }
            (found, pipe.writer.take())
        };
        if let Some(writer) = writer {
            writer.wake();
        }
        match found {
            Found::Bytes(_) | Found::End => Poll::Ready(Ok(())),
            Found::Reset => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Found::Nothing => Poll::Pending,
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_answered_by_a_stranger() {
            self.reset();
        }
        let room = {
            let mut pipe = lock(&self.out);
            if pipe.is_reset() {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            let room = pipe.room();
            if room == 0 {
                pipe.writer = Some(context.waker().clone());
            }
            room
        };
        if room == 0 {
            return Poll::Pending;
        }
        let count = bytes.len().min(room);
        self.send(Some(&bytes[..count]));
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.said_end {
            self.said_end = true;
            self.send(None);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let run = lock(&self.out).runs.0;
        match self.net.0.world.ended(run) {
            // Nobody is left to say anything.
            Some(Ended::PowerLost) => {}
            // The kernel closes what its process held.
            Some(Ended::Killed) => self.late_reset(),
            // Somebody who hangs up while an answer is on its way resets the stream, as kernels do.
            Some(Ended::Drained) | None if self.hangs_up() => self.late_reset(),
            Some(Ended::Drained) | None => {
                if !self.said_end {
                    self.send(None);
                }
                self.late_reset_of_writer();
            }
        }
    }
}

impl End {
    /// The other end hears that the process is gone, when the packet has come there.
    fn late_reset(&self) {
        let (from, to) = lock(&self.out).ends;
        let wait = self.net.delay(from, to).unwrap_or(Duration::from_secs(30));
        let (out, back) = (self.out.clone(), self.back.clone());
        self.net.0.world.later(wait, move || {
            for pipe in [out, back] {
                let wakers = lock(&pipe).reset();
                wakers
                    .into_iter()
                    .flatten()
                    .for_each(std::task::Waker::wake);
            }
        });
    }

    /// What the other end writes from now on is read by nobody: its writing breaks, after what is on its way has come.
    fn late_reset_of_writer(&self) {
        let back = self.back.clone();
        let (from, to) = lock(&self.out).ends;
        let wait = self.net.delay(from, to).unwrap_or(Duration::from_secs(30));
        self.net.0.world.later(wait, move || {
            let wakers = lock(&back).reset();
            wakers
                .into_iter()
                .flatten()
                .for_each(std::task::Waker::wake);
        });
    }
}
