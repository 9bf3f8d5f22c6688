//! One list from many: identical targets become one, and each has an id of its own.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::address::{Host, Target};
use crate::escape::escaped_prefix;
use crate::plan::{Plan, ProbeSpec, TargetMeta};
use crate::settings::SettingsError;
use crate::settings::overrides::Location;

/// A plan and where it was written; its label has an id only where the caller wrote one.
#[derive(Debug)]
pub struct Draft {
    /// Where.
    pub origin: Origin,
    /// The plan.
    pub plan: Plan,
}

/// Where a target was written, in a few bytes: there are thousands, and nearly none has a mistake in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// In this line of standard input.
    Line(u32),
    /// In the word or entry of this number.
    Entry(u32),
}

/// Drops repeats; the first of them has what the labels of all say.
pub fn without_repeats(mut drafts: Vec<Draft>) -> Vec<Draft> {
    let found = Found::among(&drafts);
    for (first, repeat) in &found.repeats {
        let label = drafts
            .get_mut(*repeat as usize)
            .and_then(|draft| draft.plan.label.take());
        if let (Some(draft), Some(label)) = (drafts.get_mut(*first as usize), label) {
            merge(draft.plan.label.get_or_insert_default(), *label);
        }
    }
    let mut repeats = found.repeats.iter().map(|(_, repeat)| *repeat).peekable();
    let mut at = 0_u32..;
    drafts.retain(|_| at.next().is_none_or(|at| repeats.next_if_eq(&at).is_none()));
    drafts
}

/// Gives each plan of a list without repeats its number, and an id that no other has; `place` tells an origin's name.
///
/// # Errors
/// When two have one id.
pub fn name(
    mut drafts: Vec<Draft>,
    place: impl Fn(Origin) -> Location,
) -> Result<Vec<Plan>, SettingsError> {
    let neighbours = Found::among(&drafts).neighbours;
    let mut written = !neighbours.is_empty();
    for (at, Draft { plan, .. }) in (0..).zip(&mut drafts) {
        plan.number = at;
        if neighbours.contains(&at) {
            name_service(plan);
        }
        name_safely(plan);
        written |= plan.label.as_ref().is_some_and(|label| label.id.is_some());
    }
    // Ids made of host and port alone differ because the targets do.
    if written {
        refuse_same_ids(&drafts).map_err(|(origin, why)| SettingsError::at(&place(origin), why))?;
    }
    Ok(drafts.into_iter().map(|draft| draft.plan).collect())
}

/// What makes two drafts of one host and port the same target.
type Key<'d> = (
    &'d Target,
    *const ProbeSpec,
    Option<&'d str>,
    Option<&'d str>,
);

fn key(plan: &Plan) -> Key<'_> {
    let label = plan.label.as_deref();
    let (id, host) = label.map_or((None, None), |label| {
        (label.id.as_deref(), label.zabbix_host.as_deref())
    });
    (&plan.target, Arc::as_ptr(&plan.spec), id, host)
}

/// What stands in a list more than once.
#[derive(Default)]
struct Found {
    /// A draft and its repeat, in the order of the repeats.
    repeats: Vec<(u32, u32)>,
    /// Different drafts of one host and port.
    neighbours: HashSet<u32>,
}

impl Found {
    fn among(drafts: &[Draft]) -> Self {
        let mut found = Self::default();
        // Nearly every host and port stands there once: only the others are looked at closely.
        let mut heads: HashMap<&Target, u32, RandomState> =
            HashMap::with_capacity_and_hasher(drafts.len(), RandomState::default());
        let mut close: HashMap<Key<'_>, u32> = HashMap::new();
        for (at, draft) in (0..).zip(drafts) {
            let head = *heads.entry(&draft.plan.target).or_insert(at);
            if head == at {
                continue;
            }
            if let Some(draft) = drafts.get(head as usize) {
                close.entry(key(&draft.plan)).or_insert(head);
            }
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

/// Adds what another label of the same target says.
fn merge(label: &mut TargetMeta, other: TargetMeta) {
    label.name = label.name.take().or(other.name);
    let mut groups = std::mem::take(&mut label.groups).into_vec();
    for group in other.groups {
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    label.groups = groups.into();
}

/// Tells the services on one host and port apart.
fn name_service(plan: &mut Plan) {
    let Some(service) = plan.spec.service.clone() else {
        return;
    };
    let id = format!("{}.{service}", plan.id());
    let label = plan.label.get_or_insert_default();
    if label.id.is_none() {
        label.id = Some(id.into());
    }
}

/// The zone of an IPv6 address has characters that a `JSONPath` would not like.
fn name_safely(plan: &mut Plan) {
    if !matches!(plan.target.host, Host::Zoned(..)) {
        return;
    }
    let safe: String = plan
        .id()
        .chars()
        .map(|c| {
            if u8::try_from(c).is_ok_and(is_safe) {
                c
            } else {
                '_'
            }
        })
        .collect();
    plan.label.get_or_insert_default().id = Some(safe.into());
}

/// The longest id, in bytes.
pub const LONGEST_ID: usize = 255;

/// Whether an id may have this byte.
pub fn is_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-')
}

fn refuse_same_ids(drafts: &[Draft]) -> Result<(), (Origin, String)> {
    let mut ids = HashSet::with_capacity(drafts.len());
    match drafts.iter().find(|draft| !ids.insert(draft.plan.id())) {
        None => Ok(()),
        Some(Draft { origin, plan }) => {
            let id = escaped_prefix(&plan.id(), 80);
            Err((
                *origin,
                format!("another target has the id `{id}` too: give each an `id` of its own"),
            ))
        }
    }
}
