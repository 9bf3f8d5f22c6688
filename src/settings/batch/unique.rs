//! One list from many: identical targets become one, and each has an id of its own.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::Mistake;
use super::super::wishes::Place;
use crate::plan::{Label, Method, Plan};
use crate::printable::shown;
use crate::target::{Host, Target};

/// A plan and where it was written; its label has an id only where the caller wrote one.
#[derive(Debug)]
pub struct Draft {
    /// Where.
    pub place: Place,
    /// The plan.
    pub plan: Plan,
}

/// Drops repeats, and gives each plan an id that no other has; how many repeats there were is the second value.
///
/// # Errors
/// When two different targets have one id.
pub fn unique(mut drafts: Vec<Draft>) -> Result<(Vec<Draft>, usize), Mistake> {
    let found = Found::among(&drafts);
    for (first, repeat) in &found.repeats {
        let label = drafts.get_mut(*repeat).and_then(|draft| draft.plan.label.take());
        if let (Some(draft), Some(label)) = (drafts.get_mut(*first), label) {
            draft.plan.label.get_or_insert_default().merge(*label);
        }
    }
    for (at, draft) in drafts.iter_mut().enumerate() {
        if found.neighbours.contains(&at) {
            name_service(&mut draft.plan);
        }
        name_safely(&mut draft.plan);
    }
    let mut repeats = found.repeats.iter().map(|(_, repeat)| *repeat).peekable();
    let mut at = 0..;
    drafts.retain(|_| at.next().is_none_or(|at| repeats.next_if_eq(&at).is_none()));
    let written = |draft: &Draft| draft.plan.label.as_ref().is_some_and(|label| label.id.is_some());
    // Ids made of host and port alone differ because the targets do.
    if !found.neighbours.is_empty() || drafts.iter().any(written) {
        refuse_same_ids(&drafts)?;
    }
    Ok((drafts, found.repeats.len()))
}

/// What makes two drafts of one host and port the same target.
type Key<'d> = (&'d Target, *const Method, Option<&'d str>, Option<&'d str>);

fn key(plan: &Plan) -> Key<'_> {
    let label = plan.label.as_deref();
    let (id, host) = label.map_or((None, None), |label| (label.id.as_deref(), label.zabbix_host.as_deref()));
    (&plan.target, Arc::as_ptr(&plan.method), id, host)
}

/// What stands in a list more than once.
#[derive(Default)]
struct Found {
    /// A draft and its repeat, in the order of the repeats.
    repeats: Vec<(usize, usize)>,
    /// Different drafts of one host and port.
    neighbours: HashSet<usize>,
}

impl Found {
    fn among(drafts: &[Draft]) -> Self {
        let mut found = Self::default();
        // Nearly every host and port stands there once: only the others are looked at closely.
        let mut heads = HashMap::with_capacity(drafts.len());
        let mut close: HashMap<Key<'_>, usize> = HashMap::new();
        for (at, draft) in drafts.iter().enumerate() {
            let (head, head_key) = *heads.entry(&draft.plan.target).or_insert_with(|| (at, key(&draft.plan)));
            if head == at {
                continue;
            }
            close.entry(head_key).or_insert(head);
            let first = *close.entry(key(&draft.plan)).or_insert(at);
            if first == at {
                found.neighbours.extend([head, at]);
            } else {
                found.repeats.push((first, at));
            }
        }
        found
    }
}

impl Label {
    /// Adds what another label of the same target says.
    fn merge(&mut self, other: Self) {
        self.name = self.name.take().or(other.name);
        let known = std::mem::take(&mut self.groups).into_vec();
        let fresh = other.groups.into_vec().into_iter().filter(|group| !known.contains(group)).collect::<Vec<_>>();
        self.groups = known.into_iter().chain(fresh).collect();
    }
}

/// Tells the services on one host and port apart.
fn name_service(plan: &mut Plan) {
    let Some(service) = plan.method.service.clone() else { return };
    let id = format!("{}.{service}", plan.id());
    let label = plan.label.get_or_insert_default();
    if label.id.is_none() {
        label.id = Some(id.into());
    }
}

/// The zone of an IPv6 address has characters that a JSONPath would not like.
fn name_safely(plan: &mut Plan) {
    if !matches!(plan.target.host, Host::Zoned(..)) {
        return;
    }
    let safe: String = plan.id().chars().map(|c| if u8::try_from(c).is_ok_and(is_safe) { c } else { '_' }).collect();
    plan.label.get_or_insert_default().id = Some(safe.into());
}

/// Whether an id may have this byte.
pub fn is_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-')
}

fn refuse_same_ids(drafts: &[Draft]) -> Result<(), Mistake> {
    let mut ids = HashSet::with_capacity(drafts.len());
    match drafts.iter().find(|draft| !ids.insert(draft.plan.id())) {
        None => Ok(()),
        Some(Draft { place, plan }) => {
            let id = shown(&plan.id(), 80);
            Err(Mistake::at(place, format!("another target has the id `{id}` too: give each an `id` of its own")))
        }
    }
}
