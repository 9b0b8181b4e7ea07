//! One direction of a stream.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use super::WINDOW_BYTES;
use crate::scheduler::{Run, World};

/// Bytes from one end to the other.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) ends: (IpAddr, IpAddr),
    /// Who writes, and who reads.
    pub(super) runs: (Run, Run),
    pieces: VecDeque<Piece>,
    /// Bytes that were written and not read.
    unread: usize,
    last_arrival: Duration,
    state: State,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

#[derive(Debug)]
struct Piece {
    /// `None` while it is held back.
    arrives: Option<Duration>,
    what: What,
}

#[derive(Debug)]
enum What {
    Bytes(Vec<u8>, usize),
    /// The writer has nothing more to say.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Broken for both ends.
    Reset,
}

/// What a reader finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Bytes(usize),
    End,
    Nothing,
    Reset,
}

impl Pipe {
    pub(super) fn new(ends: (IpAddr, IpAddr), runs: (Run, Run)) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            ends,
            runs,
            pieces: VecDeque::new(),
            unread: 0,
            last_arrival: Duration::ZERO,
            state: State::Open,
            reader: None,
            writer: None,
        }))
    }

    pub(super) fn room(&self) -> usize {
        WINDOW_BYTES.saturating_sub(self.unread)
    }

    pub(super) fn is_reset(&self) -> bool {
        self.state == State::Reset
    }

    /// Its writer has not said that it is at its end.
    pub(super) fn may_still_speak(&self) -> bool {
        let ended = self
            .pieces
            .iter()
            .any(|piece| matches!(piece.what, What::End));
        self.state == State::Open && !ended
    }

    pub(super) fn is_held_back(&self) -> bool {
        self.pieces.iter().any(|piece| piece.arrives.is_none())
    }

    /// Takes bytes, or the end, on their way; says when they arrive.
    pub(super) fn write(
        &mut self,
        bytes: Option<&[u8]>,
        now: Duration,
        delay: Option<Duration>,
    ) -> Option<Duration> {
        let what = match bytes {
            Some(bytes) => {
                self.unread += bytes.len();
                What::Bytes(bytes.to_vec(), 0)
            }
            None => What::End,
        };
        // Behind what is held back everything is held back.
        let arrives = delay
            .filter(|_| !self.is_held_back())
            .map(|delay| (now + delay).max(self.last_arrival));
        self.last_arrival = arrives.unwrap_or(self.last_arrival);
        self.pieces.push_back(Piece { arrives, what });
        arrives
    }

    /// Reads what has arrived.
    pub(super) fn read(&mut self, now: Duration, most: usize, mut put: impl FnMut(&[u8])) -> Found {
        if self.state == State::Reset {
            return Found::Reset;
        }
        let mut read = 0;
        while read < most {
            let Some(piece) = self.pieces.front_mut() else {
                break;
            };
            if piece.arrives.is_none_or(|at| at > now) {
                break;
            }
            let What::Bytes(bytes, done) = &mut piece.what else {
                return if read == 0 {
                    Found::End
                } else {
                    Found::Bytes(read)
                };
            };
            let count = (bytes.len() - *done).min(most - read);
            put(&bytes[*done..*done + count]);
            *done += count;
            read += count;
            self.unread -= count;
            if *done == bytes.len() {
                self.pieces.pop_front();
            }
        }
        match read {
            0 => Found::Nothing,
            read => Found::Bytes(read),
        }
    }

    /// Breaks it; gives those to be woken.
    pub(super) fn reset(&mut self) -> [Option<Waker>; 2] {
        self.state = State::Reset;
        [self.reader.take(), self.writer.take()]
    }
}

/// What was held back goes on.
pub(super) fn go_on(world: &World, pipe: &Arc<Mutex<Pipe>>, delay: Duration) {
    let at = world.now() + delay;
    {
        let mut pipe = lock(pipe);
        for piece in pipe
            .pieces
            .iter_mut()
            .filter(|piece| piece.arrives.is_none())
        {
            piece.arrives = Some(at);
        }
        pipe.last_arrival = pipe.last_arrival.max(at);
    }
    wake_reader(world, pipe, delay);
}

/// Wakes the reader once something has arrived.
pub(super) fn wake_reader(world: &World, pipe: &Arc<Mutex<Pipe>>, wait: Duration) {
    let pipe = pipe.clone();
    world.later(wait, move || {
        let reader = lock(&pipe).reader.take();
        if let Some(reader) = reader {
            reader.wake();
        }
    });
}

pub(super) fn lock(pipe: &Mutex<Pipe>) -> MutexGuard<'_, Pipe> {
    pipe.lock().unwrap_or_else(PoisonError::into_inner)
}
