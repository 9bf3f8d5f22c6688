//! Requests that probe many targets or print rows. Separate threads process them, so that they do
//! not delay checks.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::commands::plugin::keys::LongKey;
use crate::commands::plugin::requests::OpenRequests;
use crate::commands::{batch, discover, error_line, internal_error};
use crate::policy::Policy;
use crate::settings::SettingsError;
use crate::settings::config::Configuration;

/// How many requests are processed at the same time; others wait. Each batch is a run of the
/// engine.
const MAX_THREADS: usize = 16;

/// The threads, which start when they are needed and then wait for requests.
#[derive(Debug, Clone)]
pub struct LongRequests(Arc<LongShared>);

#[derive(Debug)]
struct LongShared {
    requests: OpenRequests,
    state: Mutex<LongState>,
    /// Notified for each request that is added.
    added: Condvar,
}

#[derive(Debug, Default)]
struct LongState {
    waiting: VecDeque<LongRequest>,
    threads: usize,
    idle: usize,
}

/// A request that waits for a thread.
#[derive(Debug)]
pub struct LongRequest {
    /// Its index in the open requests.
    pub index: u32,
    /// The key.
    pub key: LongKey,
    /// When it arrived.
    pub arrived: Instant,
    /// How long it may take.
    pub most: Duration,
    /// The configuration in force.
    pub config: Arc<Configuration>,
    /// Why a newer configuration is not in force.
    pub config_error: Option<String>,
    /// The policy in force.
    pub policy: Arc<Policy>,
}

impl LongShared {
    /// A panic leaves nothing half-changed here, so a poisoned lock is fine.
    fn state(&self) -> MutexGuard<'_, LongState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Processes one request after the other.
    fn work(&self) {
        loop {
            let request = self.next();
            // The documents of requests that were read before can be large.
            self.requests.wait_for_room();
            // A request that waited for too long has been answered.
            if self.requests.is_open(request.index) {
                self.answer(&request);
            }
        }
    }

    fn next(&self) -> LongRequest {
        let mut state = self.state();
        loop {
            if let Some(request) = state.waiting.pop_front() {
                return request;
            }
            state.idle += 1;
            state = self
                .added
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    fn answer(&self, request: &LongRequest) {
        let value = catch_unwind(AssertUnwindSafe(|| value(request)));
        match value {
            Ok(Ok(value)) => self.requests.answer_long(request.index, Ok(&value)),
            Ok(Err(error)) => {
                let line = error_line(&error.to_string());
                self.requests.answer_long(request.index, Ok(&line));
            }
            Err(_) => {
                let why = internal_error().text;
                self.requests.answer_long(request.index, Err(&why));
            }
        }
    }
}

impl LongRequests {
    /// A pool without threads so far. A thread removes its request from this list when it answers.
    pub fn new(requests: OpenRequests) -> Self {
        Self(Arc::new(LongShared {
            requests,
            state: Mutex::default(),
            added: Condvar::new(),
        }))
    }

    /// Queues a request for a thread, which answers it.
    ///
    /// # Errors
    /// This machine cannot start the first thread.
    pub fn add(&self, request: LongRequest) -> io::Result<()> {
        let mut state = self.0.state();
        if state.waiting.len() >= state.idle && state.threads < MAX_THREADS {
            let shared = Arc::clone(&self.0);
            let started = thread::Builder::new()
                .name("batches".into())
                .spawn(move || shared.work());
            match started {
                Ok(_) => state.threads += 1,
                Err(error) if state.threads == 0 => return Err(error),
                // The other threads process the request.
                Err(_) => {}
            }
        }
        state.waiting.push_back(request);
        self.0.added.notify_one();
        Ok(())
    }
}

#[allow(clippy::disallowed_methods)]
fn value(request: &LongRequest) -> Result<String, SettingsError> {
    let LongRequest { config, policy, .. } = request;
    #[cfg(debug_assertions)]
    crate::commands::panic_if_tested_at("long");
    let most = request.most.saturating_sub(request.arrived.elapsed());
    match &request.key {
        LongKey::Batch(group, max_output) => {
            let error = request.config_error.as_deref();
            batch::json(group, max_output, most, config, error, policy)
        }
        LongKey::ListenerRows => discover::listener_rows(),
        LongKey::Listeners => discover::listener_document(),
        LongKey::Ports(host, list) => discover::port_rows(host, list, config),
        LongKey::Targets(group) => {
            discover::target_rows(std::slice::from_ref(group), config, request.arrived)
        }
        LongKey::Open(host, list) => discover::open_rows(host, list, most, config, policy),
    }
}
