//! When a session lets its attempts make [inspections](crate::engine::session::attempt::inspections).

use std::time::Instant;

use crate::engine::session::action::Actions;
use crate::engine::session::attempt::Attempt;
use crate::engine::session::attempt::inspections::{AllowedInspections, LEAST_TIME};
use crate::engine::session::race::{AddressRace, AddressRule};
use crate::engine::session::{Session, SessionState};

impl Session {
    /// After a connection of this attempt has ended, starts the inspection that its layer requires.
    pub(super) fn inspect(&mut self, index: usize, now: Instant, actions: &mut Actions) {
        let attempt = self.attempts().get(index);
        if !attempt.is_some_and(Attempt::awaits_inspection) {
            return;
        }
        let allowed = self.allowed_inspections(index, now);
        if let Some(attempt) = self.attempts.as_mut_slice().get_mut(index) {
            attempt.inspect(&self.plan, allowed, now, actions);
        }
    }

    /// Which inspections this attempt may make. With several attempts, each may make deciding
    /// inspections; all other inspections are made only for the attempt that the report describes.
    fn allowed_inspections(&self, index: usize, now: Instant) -> AllowedInspections {
        if self.deadline().saturating_duration_since(now) < LEAST_TIME {
            return AllowedInspections::Nothing;
        }
        let is_reported = || self.representative() == index;
        if self.plan.spec.attempts.is_some() {
            return if self.state == SessionState::Decided && is_reported() {
                AllowedInspections::All
            } else {
                AllowedInspections::Deciding
            };
        }
        match self.ended_race() {
            Some(_) if !is_reported() => AllowedInspections::Nothing,
            _ => AllowedInspections::All,
        }
    }

    /// The race for one address that passes, if it is over. The session does not wait for the other
    /// addresses.
    fn ended_race(&self) -> Option<&AddressRace> {
        let race = self.extra.as_ref()?.race.as_deref()?;
        let is_over = race.representative().is_some();
        Some(race).filter(|race| is_over && race.rule() == AddressRule::FirstToPass)
    }

    /// Ends the inspections of all attempts but the one that has passed.
    pub(super) fn end_other_inspections(&mut self, actions: &mut Actions) {
        if self.ended_race().is_none() {
            return;
        }
        let passed = self.representative();
        let attempts = self.attempts.as_mut_slice().iter_mut().enumerate();
        for (_, attempt) in attempts.filter(|(index, _)| *index != passed) {
            attempt.end_inspections(actions);
        }
    }

    /// Once the verdict on several attempts is fixed, starts the inspections of the one that the
    /// report describes.
    pub(super) fn inspect_reported(&mut self, now: Instant, actions: &mut Actions) {
        if self.state != SessionState::Decided || self.plan.spec.attempts.is_none() {
            return;
        }
        let index = self.representative();
        if let Some(attempt) = self.attempts.as_mut_slice().get_mut(index) {
            attempt.resume_inspections();
        }
        self.inspect(index, now, actions);
    }
}
