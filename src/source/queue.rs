//! Plans from other threads, while the run goes on.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::plan::Plan;
use crate::source::{Next, Source};

/// A queue of plans: its source for the engine, and its first sender.
///
/// Make it before the run starts: a thread of the run may have a copy of the process's descriptor
/// table (see `engine::threads`), which contains only the descriptors that were open when it was
/// copied.
///
/// # Errors
/// When the process has no two descriptors left (socketpair(2)).
pub fn queue() -> io::Result<(Queue, QueueSender)> {
    let (wake, wakes) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    wakes.set_nonblocking(true)?;
    let state = State {
        plans: VecDeque::new(),
        senders: 1,
        receiver: Receiver::Running,
        is_readable: false,
    };
    let shared = Arc::new(Shared {
        state: Mutex::new(state),
        wakes,
    });
    Ok((
        Queue {
            shared: Arc::clone(&shared),
            wake,
        },
        QueueSender { shared },
    ))
}

/// Gives the plans of its senders, in their order, and is done when there is neither a plan nor a
/// sender left.
#[derive(Debug)]
pub struct Queue {
    shared: Arc<Shared>,
    wake: UnixStream,
}

/// Puts plans into a [`Queue`] from any thread; clones feed the same queue.
#[derive(Debug)]
pub struct QueueSender {
    shared: Arc<Shared>,
}

/// The queue is gone: its run has ended. Holds the plan that was not sent.
#[derive(Debug)]
pub struct QueueClosed(pub Arc<Plan>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The other end of [`Queue::wake`].
    wakes: UnixStream,
}

#[derive(Debug)]
struct State {
    plans: VecDeque<Arc<Plan>>,
    senders: usize,
    receiver: Receiver,
    /// Whether a byte is in the socket pair, which makes the source's descriptor readable: from the
    /// first plan after [`Next::Pending`] to the next `Pending`.
    is_readable: bool,
}

/// What became of the [`Queue`].
#[derive(Debug, PartialEq, Eq)]
enum Receiver {
    Running,
    Dropped,
}

impl Shared {
    /// A panic leaves nothing half-changed here, so a poisoned lock is fine.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the source's descriptor readable. The socket pair holds one byte at most, so the write
    /// does not fail for lack of space.
    fn wake(&self, state: &mut State) {
        if !state.is_readable {
            state.is_readable = (&self.wakes).write(&[1]).is_ok();
        }
    }
}

impl Source for Queue {
    fn next(&mut self, _now: Instant) -> Next {
        let mut state = self.shared.state();
        if let Some(plan) = state.plans.pop_front() {
            return Next::Plan(plan);
        }
        if state.senders == 0 {
            return Next::Done;
        }
        // The descriptor is made unreadable only if there is no plan: as long as there is one,
        // another worker must find it readable.
        if state.is_readable {
            // If the read fails, the next plan writes another byte, which wakes the engine too.
            let _ = (&self.wake).read(&mut [0; 8]);
            state.is_readable = false;
        }
        Next::Pending
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.wake.as_fd())
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.shared.state().receiver = Receiver::Dropped;
    }
}

impl QueueSender {
    /// Adds a plan to the queue.
    ///
    /// # Errors
    /// When the queue is gone.
    pub fn send(&self, plan: Arc<Plan>) -> Result<(), QueueClosed> {
        let mut state = self.shared.state();
        if state.receiver == Receiver::Dropped {
            return Err(QueueClosed(plan));
        }
        state.plans.push_back(plan);
        self.shared.wake(&mut state);
        Ok(())
    }
}

impl Clone for QueueSender {
    fn clone(&self) -> Self {
        self.shared.state().senders += 1;
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl Drop for QueueSender {
    /// The last sender wakes the engine, which then finds the queue done. Closing the socket pair
    /// would not wake it, because threads with a copied descriptor table still have it open.
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.senders -= 1;
        if state.senders == 0 {
            self.shared.wake(&mut state);
        }
    }
}

impl fmt::Display for QueueClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the run has ended")
    }
}

impl std::error::Error for QueueClosed {}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;
    use crate::source::tests::{plan, plans};

    /// Whether the descriptor is readable.
    fn is_readable(queue: &Queue) -> bool {
        let peer = socket2::SockRef::from(&queue.wake);
        peer.peek(&mut [std::mem::MaybeUninit::uninit()]).is_ok()
    }

    #[test]
    fn plans_come_in_order_until_the_last_sender_is_gone() {
        let now = Instant::now();
        let (mut queue, sender) = queue().unwrap();
        assert!(matches!(queue.next(now), Next::Pending));
        let other = sender.clone();
        sender.send(plan(1)).unwrap();
        other.send(plan(2)).unwrap();
        drop(sender);
        let (given, next) = plans(&mut queue, now);
        assert!(given == [1, 2] && matches!(next, Next::Pending), "{next:?}");
        other.send(plan(3)).unwrap();
        drop(other);
        let (given, next) = plans(&mut queue, now);
        assert!(given == [3] && matches!(next, Next::Done), "{next:?}");
    }

    #[test]
    fn the_descriptor_is_readable_until_the_queue_is_pending_again() {
        let now = Instant::now();
        let (mut queue, sender) = queue().unwrap();
        assert!(!is_readable(&queue));
        for _ in 0..1000 {
            sender.send(plan(0)).unwrap();
            sender.send(plan(0)).unwrap();
            assert!(is_readable(&queue));
            queue.next(now);
            queue.next(now);
            assert!(is_readable(&queue), "another thread may not know it yet");
            assert!(matches!(queue.next(now), Next::Pending));
            assert!(!is_readable(&queue));
        }
        drop(sender);
        assert!(is_readable(&queue));
        assert!(matches!(queue.next(now), Next::Done));
        assert!(is_readable(&queue), "for every thread");
    }

    #[test]
    fn a_sender_learns_that_the_queue_is_gone() {
        let (queue, sender) = queue().unwrap();
        drop(queue);
        assert_eq!(sender.send(plan(7)).unwrap_err().0.index, 7);
    }
}
