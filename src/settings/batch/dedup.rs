//! Drops repeated targets, and gives each target an id that no other has.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::address::{Host, Target};
use crate::escape::escaped_prefix;
use crate::plan::{Plan, ProbeSpec, TargetMeta};
use crate::settings::target_spec::is_id_byte;

/// A plan without an id of its own, unless the user gave it one.
#[derive(Debug)]
pub struct Draft {
    /// Where it was written.
    pub origin: DraftOrigin,
    /// The plan.
    pub plan: Plan,
}

/// Where a target was written, in eight bytes: there are thousands, and nearly none is erroneous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DraftOrigin {
    /// In this line of standard input, counted from 1.
    StdinLine(u32),
    /// Elsewhere; the index of its location in the list.
    Other(u32),
}

/// Two targets with the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateId {
    /// Where the second one was written.
    pub origin: DraftOrigin,
    /// The id.
    pub id: String,
    /// Whether it has another error.
    pub has_error: bool,
}

impl fmt::Display for DuplicateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = escaped_prefix(&self.id, 80);
        write!(
            f,
            "another target has the same id `{id}`: give each target a different `id`"
        )
    }
}

/// Drops repeats; their labels are merged into the first of them.
pub fn without_repeats(mut drafts: Vec<Draft>) -> Vec<Draft> {
    let groups = Groups::of(&drafts);
    for (first, repeat) in &groups.repeats {
        let label = drafts
            .get_mut(*repeat as usize)
            .and_then(|draft| draft.plan.meta.take());
        if let (Some(draft), Some(label)) = (drafts.get_mut(*first as usize), label) {
            merge(draft.plan.meta.get_or_insert_default(), *label);
        }
    }
    let mut repeats = groups.repeats.iter().map(|(_, repeat)| *repeat).peekable();
    let mut index = 0_u32..;
    drafts.retain(|_| {
        index
            .next()
            .is_none_or(|index| repeats.next_if_eq(&index).is_none())
    });
    drafts
}

/// Gives each plan of a list without repeats its number and its id. The second of two plans with
/// the same id is left out, and returned as a duplicate.
pub fn assign_ids(mut drafts: Vec<Draft>) -> (Vec<Plan>, Vec<DuplicateId>) {
    let shared = Groups::of(&drafts).shared;
    let mut has_labels = !shared.is_empty();
    for (index, Draft { plan, .. }) in (0..).zip(&mut drafts) {
        plan.index = index;
        if shared.contains(&index) {
            add_service_to_id(plan);
        }
        replace_unsafe_bytes(plan);
        has_labels |= plan.meta.as_ref().is_some_and(|label| label.id.is_some());
    }
    // Ids that are only host and port differ because the targets do.
    let duplicates = if has_labels {
        drop_duplicate_ids(&mut drafts)
    } else {
        Vec::new()
    };
    let plans = drafts.into_iter().map(|draft| draft.plan).collect();
    (plans, duplicates)
}

/// Two drafts with equal identities are the same target.
type Identity<'d> = (
    &'d Target,
    *const ProbeSpec,
    Option<&'d str>,
    Option<&'d str>,
);

fn identity(plan: &Plan) -> Identity<'_> {
    let label = plan.meta.as_deref();
    let (id, host) = label.map_or((None, None), |label| {
        (label.id.as_deref(), label.zabbix_host.as_deref())
    });
    (&plan.target, Arc::as_ptr(&plan.spec), id, host)
}

/// Drafts with the same host and port, by their index.
#[derive(Default)]
struct Groups {
    /// A draft and its repeat, in the order of the repeats.
    repeats: Vec<(u32, u32)>,
    /// Different targets that share host and port.
    shared: HashSet<u32, RandomState>,
}

impl Groups {
    fn of(drafts: &[Draft]) -> Self {
        let mut groups = Self::default();
        // Nearly every host and port occurs once: only the others are compared in full.
        let mut heads: HashMap<&Target, u32, RandomState> =
            HashMap::with_capacity_and_hasher(drafts.len(), RandomState::default());
        let mut seen: HashMap<Identity<'_>, u32, RandomState> = HashMap::default();
        for (index, draft) in (0..).zip(drafts) {
            let head = *heads.entry(&draft.plan.target).or_insert(index);
            if head == index {
                continue;
            }
            if let Some(draft) = drafts.get(head as usize) {
                seen.entry(identity(&draft.plan)).or_insert(head);
            }
            let first = *seen.entry(identity(&draft.plan)).or_insert(index);
            if first == index {
                groups.shared.extend([head, index]);
            } else {
                groups.repeats.push((first, index));
            }
        }
        groups
    }
}

/// Adds the name and the groups of another label of the same target.
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

/// Distinguishes different services on one host and port.
fn add_service_to_id(plan: &mut Plan) {
    let Some(service) = plan.spec.service.clone() else {
        return;
    };
    let id = format!("{}.{service}", plan.id());
    let label = plan.meta.get_or_insert_default();
    if label.id.is_none() {
        label.id = Some(id.into());
    }
}

/// The zone of an IPv6 address may contain characters that are not safe inside a `JSONPath`.
fn replace_unsafe_bytes(plan: &mut Plan) {
    if !matches!(plan.target.host, Host::Zoned(..)) {
        return;
    }
    let is_safe = |c: char| u8::try_from(c).is_ok_and(is_id_byte);
    let id: String = plan
        .id()
        .chars()
        .map(|c| if is_safe(c) { c } else { '_' })
        .collect();
    plan.meta.get_or_insert_default().id = Some(id.into());
}

/// Drops the second of two drafts with the same id.
fn drop_duplicate_ids(drafts: &mut Vec<Draft>) -> Vec<DuplicateId> {
    let mut ids = HashSet::with_capacity_and_hasher(drafts.len(), RandomState::default());
    let numbered = (0_u32..).zip(&*drafts);
    // In order.
    let repeats: Vec<u32> = numbered
        .filter(|(_, draft)| !ids.insert(draft.plan.id()))
        .map(|(index, _)| index)
        .collect();
    drop(ids);
    let (mut index, mut repeats) = (0_u32.., repeats.into_iter().peekable());
    let mut duplicates = Vec::new();
    drafts.retain(|Draft { origin, plan }| {
        let is_repeat = index
            .next()
            .is_some_and(|index| repeats.next_if_eq(&index).is_some());
        if is_repeat {
            duplicates.push(DuplicateId {
                origin: *origin,
                id: plan.id().into_owned(),
                has_error: plan.error().is_some(),
            });
        }
        !is_repeat
    });
    duplicates
}
