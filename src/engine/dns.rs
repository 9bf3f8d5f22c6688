//! Names to addresses.
#![allow(missing_docs)]
use crate::failure::{Failure, Status};
use crate::plan::Family;
use crate::target::HostName;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Instant;
#[derive(Debug)]
pub struct Addresses {
    pub v4: Vec<Ipv4Addr>,
    pub v6: Vec<Ipv6Addr>,
}
#[derive(Debug, Default)]
pub struct Resolver {
    answers: Vec<usize>,
}
impl std::fmt::Display for Addresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self)
    }
}
impl Resolver {
    pub fn start(&mut self, _: &mio::Registry, key: usize, _: &HostName, _: Family, _: Instant, _: Instant) {
        self.answers.push(key)
    }
    pub fn cancel(&mut self, _: &mio::Registry, _: usize) {}
    pub fn owns(_: mio::Token) -> bool {
        false
    }
    pub fn ready(&mut self, _: &mio::Registry, _: mio::Token, _: Instant) {}
    pub fn expire(&mut self, _: &mio::Registry, _: Instant) {}
    pub fn next_wake(&self) -> Option<Instant> {
        None
    }
    pub fn poll_answer(&mut self) -> Option<(usize, Result<Addresses, Failure>)> {
        self.answers.pop().map(|k| (k, Err(Failure::new(Status::ResolveFailed, "names are not resolved yet"))))
    }
}
