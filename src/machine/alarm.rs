//! One thread for the process that stops runs at their time: it sets a flag of theirs, and kicks their thread until they
//! have ended.
//!
//! It is made with the first machine that may need it, so that a host that refuses it does so before anything has run.

use crate::sys::signal::{FaultGuard, Thread};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// Bytes of stack, most of which are for what the standard library does.
const STACK: usize = 64 << 10;
/// Time between two kicks of a thread: one is lost on a thread that is just about to enter the code.
const KICK_INTERVAL: Duration = Duration::from_millis(1);

/// The process's thread.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alarm(&'static Shared);

/// Something to stop; nobody is kicked any more once [`Alarm::cancel`] has taken it back.
#[derive(Debug)]
pub(super) struct Ticket(u64);

#[derive(Debug)]
struct Entry {
    ticket: u64,
    at: Instant,
    flag: Arc<AtomicBool>,
    runner: Thread,
    rang: bool,
}

#[derive(Debug, Default)]
struct State {
    /// One for each run with a limit: never many, since each is a thread's.
    entries: Vec<Entry>,
    next: u64,
    /// Until when the thread sleeps; `None` without end.
    sleeps_until: Option<Instant>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Alarm {
    /// The process's, made now if need be: one anew in a process that was forked, which has none of its parent's threads.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn get() -> io::Result<Alarm> {
        static CURRENT: Mutex<Option<(u32, Alarm)>> = Mutex::new(None);
        let process = std::process::id();
        let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        match *current {
            Some((owner, alarm)) if owner == process => Ok(alarm),
            _ => {
                let alarm = Alarm::new()?;
                *current = Some((process, alarm));
                Ok(alarm)
            }
        }
    }

    fn new() -> io::Result<Alarm> {
        // Without a handler, a kick would end neither emitted code nor a system call that waits.
        FaultGuard::install()?;
        let shared: &'static Shared = Box::leak(Box::default());
        Builder::new()
            .name("rvjit alarm".to_owned())
            .stack_size(STACK)
            .spawn(|| watch(shared))?;
        Ok(Alarm(shared))
    }

    /// From `at` on, sets the flag and kicks the thread again and again.
    pub(super) fn arm(self, at: Instant, flag: Arc<AtomicBool>, runner: Thread) -> Ticket {
        let mut state = self.0.lock();
        let ticket = state.next;
        state.next += 1;
        state.entries.push(Entry {
            ticket,
            at,
            flag,
            runner,
            rang: false,
        });
        // One that sleeps less long finds this by itself.
        if state.sleeps_until.is_none_or(|until| at < until) {
            self.0.changed.notify_one();
        }
        Ticket(ticket)
    }

    /// Takes this back. Whether its time had come.
    pub(super) fn cancel(self, ticket: &Ticket) -> bool {
        let mut state = self.0.lock();
        let found = state.entries.iter().position(|e| e.ticket == ticket.0);
        found.is_some_and(|n| state.entries.swap_remove(n).rang)
    }
}

fn watch(shared: &Shared) {
    let mut state = shared.lock();
    loop {
        let now = Instant::now();
        for entry in &mut state.entries {
            if entry.at <= now {
                entry.rang = true;
                entry.at = now + KICK_INTERVAL;
                entry.flag.store(true, Ordering::Release);
                // With the lock held: nobody who has cancelled is kicked.
                entry.runner.kick();
            }
        }
        let next = state.entries.iter().map(|entry| entry.at).min();
        state.sleeps_until = next;
        let waited = match next {
            None => shared.changed.wait(state),
            Some(next) => shared
                .changed
                .wait_timeout(state, next.saturating_duration_since(now))
                .map(|(state, _)| state)
                .map_err(|error| PoisonError::new(error.into_inner().0)),
        };
        state = waited.unwrap_or_else(PoisonError::into_inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_armed_rings_in_the_order_of_time_until_it_is_cancelled() {
        let alarm = Alarm::get().unwrap();
        let (late, soon, never) = <(Arc<AtomicBool>, Arc<AtomicBool>, Arc<AtomicBool>)>::default();
        let start = Instant::now();
        let arm = |after: u64, flag: &Arc<AtomicBool>| {
            let at = start + Duration::from_millis(after);
            alarm.arm(at, Arc::clone(flag), Thread::current())
        };
        let tickets = [arm(60, &late), arm(20, &soon), arm(1 << 30, &never)];
        while !late.load(Ordering::Acquire) {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "it does not ring"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(start.elapsed() >= Duration::from_millis(60));
        assert!(soon.load(Ordering::Acquire) && !never.load(Ordering::Acquire));
        assert_eq!(
            tickets.each_ref().map(|t| alarm.cancel(t)),
            [true, true, false]
        );
        soon.store(false, Ordering::Release);
        std::thread::sleep(5 * KICK_INTERVAL);
        assert!(!soon.load(Ordering::Acquire), "it rings on");
    }
}
