//! Requests that probe many targets or print rows. Each has a thread of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::commands::plugin::agent::AgentWriter;
use crate::commands::plugin::keys::ItemKey;
use crate::commands::{batch, discover, internal_error};
use crate::plugin::message::Answer;
use crate::policy::Policy;
use crate::settings::SettingsError;

/// How many run at once. An agent asks for each of them once per interval.
const MAX_RUNNING: usize = 8;

/// Starts the threads.
#[derive(Debug)]
pub struct LongRequests {
    agent: AgentWriter,
    running: Arc<AtomicUsize>,
}

impl LongRequests {
    /// Answers go to this agent.
    pub fn new(agent: AgentWriter) -> Self {
        Self {
            agent,
            running: Arc::default(),
        }
    }

    /// Answers a request in a thread of its own, within this time.
    ///
    /// # Errors
    /// Too many run already, or this machine has no thread left.
    pub fn start(
        &self,
        id: u32,
        key: ItemKey,
        most: Duration,
        config: Option<String>,
        policy: Arc<Policy>,
    ) -> Result<(), String> {
        if self.running.fetch_add(1, Ordering::SeqCst) >= MAX_RUNNING {
            self.running.fetch_sub(1, Ordering::SeqCst);
            return Err(format!(
                "{MAX_RUNNING} batches and discoveries are running already"
            ));
        }
        let (agent, running) = (self.agent.clone(), Arc::clone(&self.running));
        let started = thread::Builder::new().spawn(move || {
            let value = catch_unwind(AssertUnwindSafe(|| {
                value(&key, most, config.as_deref(), &policy)
            }));
            let value = value.unwrap_or_else(|_| Err(SettingsError::new(internal_error().text)));
            match value {
                Ok(value) => agent.send(&Answer::value(id, value.trim_end_matches('\n'))),
                Err(error) => agent.send(&Answer::error(id, &format!("zbx-tcp: {error}"))),
            }
            running.fetch_sub(1, Ordering::SeqCst);
        });
        started.map(|_| ()).map_err(|error| {
            self.running.fetch_sub(1, Ordering::SeqCst);
            format!("this machine cannot start a thread: {error}")
        })
    }
}

#[allow(clippy::disallowed_methods)]
fn value(
    key: &ItemKey,
    most: Duration,
    config: Option<&str>,
    policy: &Policy,
) -> Result<String, SettingsError> {
    let start = Instant::now();
    match key {
        ItemKey::Check(_) => Ok(String::new()),
        ItemKey::Batch(group) => batch::json(group, most, config, policy),
        ItemKey::ListenerRows => discover::listener_rows(),
        ItemKey::Listeners => discover::listener_document(),
        ItemKey::Ports(host, list) => discover::port_rows(host, list, config),
        ItemKey::Targets(group) => {
            discover::target_rows(std::slice::from_ref(group), config, start)
        }
        ItemKey::Open(host, list) => discover::open_rows(host, list, most, config, policy),
    }
}
